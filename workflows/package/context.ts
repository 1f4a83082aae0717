import { condition, log, type SignalDefinition } from '@temporalio/workflow';
import { ringRolloutId } from '../../src/contract/ids.js';
import type { ForPass } from '../../src/contract/internal.js';
import type { NewEntry } from '../../src/contract/ledger.js';
import type { Problem } from '../../src/contract/problem.js';
import type { Failure, PackageRolloutStatus, RolloutState } from '../../src/contract/status.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import type { Decision } from '../../src/domain/ledger/decisions.js';
import { entryOfAct } from '../../src/domain/ledger/entry.js';
import { isOpen, newPackageState, type PackageState, type Track } from '../../src/domain/rollout/state.js';
import { viewOfRollout } from '../../src/domain/rollout/view.js';
import { LedgerDesk } from '../shared/ledger-desk.js';
import { Mail } from '../shared/mail.js';

/** Who did something, and why: what every act of a person carries. */
export interface Person {
  by: string;
  reason?: string | undefined;
  url?: string | undefined;
}

/** What the parts of one package's rollout share. */
export class PackageContext {
  readonly state: PackageState;
  woken = false;
  readonly mail = new Mail(() => this.wake());
  readonly ledger: LedgerDesk;
  /** Detached work that a continue-as-new would lose. */
  pending = 0;
  /** What the cluster refused last, for whoever waits for its answer. */
  refusal: Problem | null = null;

  constructor(version: string, chartVersion: string | null, carried: PackageState | undefined) {
    this.state = carried ?? newPackageState(version, chartVersion, Date.now());
    const { state, mail } = this;
    // One that ends without the cluster's word does not wait for its name.
    const cluster = () => state.cluster ?? (state.end ? '' : null);
    this.ledger = new LedgerDesk({ state, mail, cluster, wake: () => this.wake() });
  }

  readonly view = (): PackageRolloutStatus => viewOfRollout(this.state, Date.now());

  /** Tells the pass of this track, and no other one that may be over the ring by now. Answers whether one is there. */
  async tellPass<Message extends ForPass>(
    { ring, requestId }: Pick<Track, 'ring' | 'requestId'>,
    signal: SignalDefinition<[Message]>,
    message: Omit<Message, 'requestId'>,
  ): Promise<boolean> {
    return await this.mail.send(ringRolloutId(ring), signal, { ...message, requestId } as unknown as Message);
  }

  /**
   * The same, also where the pass of this track is just being started: it begins with what was known when it was ordered,
   * and is told the rest once it is there.
   */
  tellOnceThere<Message extends ForPass>(
    track: Track,
    signal: SignalDefinition<[Message]>,
    message: Omit<Message, 'requestId'>,
  ): void {
    if (!isOpen(track)) return;
    void this.detached(async () => {
      await condition(() => track.stage !== 'granted');
      if (track.stage === 'running') await this.tellPass(track, signal, message);
    });
  }

  /** Ends the rollout; how it ended first stays. */
  end(state: RolloutState, supersededBy: string | null): void {
    this.state.end ??= { state, supersededBy };
    this.ledger.flush();
    this.wake();
  }

  /** A newer package takes this one's place. An abort wins: it takes back what it was told to, and brings its own end. */
  supersede(by: string | null): void {
    if (!this.state.abort) this.end('superseded', by);
  }

  record(act: string, person: Person, outcome: string, detail?: string): void {
    const { by, reason, url } = person;
    this.ledger.note(entryOfAct(act, person, outcome, { version: this.state.version }));
    const at = new Date(Date.now()).toISOString();
    const more = { ...(reason ? { reason } : {}), ...(url ? { url } : {}), ...(detail ? { detail } : {}) };
    this.state.acts.push({ at, act, by, outcome, ...more });
  }

  /** Something of this package went wrong that no single cell's run knows of. */
  fail({ ring, reason, ...more }: Omit<Failure, 'at'>): void {
    const at = new Date(Date.now()).toISOString();
    this.state.failures.push({ at, ring, reason, ...more });
    this.note({ kind: 'failure', act: 'ringFailed', by: COORDINATOR, ring, reason });
  }

  /** What the coordinator itself decided: kept by the ledger alone. */
  enter(decision: Decision): void {
    this.note({ kind: 'decision', by: COORDINATOR, ...decision });
  }

  private note(entry: NewEntry): void {
    this.ledger.note({ ...entry, version: this.state.version });
  }

  fileRejection(message: string, { path, value, expected }: Problem, by?: string): void {
    log.warn('a message was rejected', { message, path, value, expected });
    const outcome = `${message}: ${path || 'the message'}: found ${value}, expected ${expected}`;
    this.note({ kind: 'decision', act: 'rejected', by: COORDINATOR, outcome, facts: { by } });
    const at = new Date(Date.now()).toISOString();
    this.state.rejected.push({ at, message, path, value, expected, ...(by === undefined ? {} : { by }) });
    this.wake();
  }

  async detached(work: () => Promise<void>): Promise<void> {
    this.pending += 1;
    try {
      await work();
    } finally {
      this.pending -= 1;
      this.wake();
    }
  }

  wake(): void {
    this.woken = true;
  }
}
