import { log, type SignalDefinition } from '@temporalio/workflow';
import { ringRolloutId } from '../../src/contract/ids.js';
import type { ForPass } from '../../src/contract/internal.js';
import type { Problem } from '../../src/contract/problem.js';
import type { PackageRolloutStatus, RolloutState } from '../../src/contract/status.js';
import { newPackageState, type PackageState, type Track } from '../../src/domain/rollout/state.js';
import { viewOfRollout } from '../../src/domain/rollout/view.js';
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
  /** Detached work that a continue-as-new would lose. */
  pending = 0;
  /** What the cluster refused last, for whoever waits for its answer. */
  refusal: Problem | null = null;

  constructor(version: string, chartVersion: string | null, carried: PackageState | undefined) {
    this.state = carried ?? newPackageState(version, chartVersion, Date.now());
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

  /** Ends the rollout; how it ended first stays. */
  end(state: RolloutState, supersededBy: string | null): void {
    this.state.end ??= { state, supersededBy };
    this.wake();
  }

  /** A newer package takes this one's place. An abort wins: it takes back what it was told to, and brings its own end. */
  supersede(by: string | null): void {
    if (!this.state.abort) this.end('superseded', by);
  }

  record(act: string, { by, reason, url }: Person, outcome: string, detail?: string): void {
    const at = new Date(Date.now()).toISOString();
    const more = { ...(reason ? { reason } : {}), ...(url ? { url } : {}), ...(detail ? { detail } : {}) };
    this.state.acts.push({ at, act, by, outcome, ...more });
  }

  fileRejection(message: string, { path, value, expected }: Problem, by?: string): void {
    log.warn('a message was rejected', { message, path, value, expected });
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
