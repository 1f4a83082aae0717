import { condition, log, sleep, workflowInfo } from '@temporalio/workflow';
import { ringRolloutId } from '../../src/contract/ids.js';
import type { RingEntry } from '../../src/contract/internal.js';
import { noteTrouble } from '../../src/domain/rollback/state.js';
import { type Track, tracksOf } from '../../src/domain/rollout/state.js';
import { CLUSTER_ANSWERS_MS } from '../package/cluster-link.js';
import type { Passes } from '../package/passes.js';
import { describePass, readEntry, terminatePass } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import { stopPassSignal } from '../shared/signals.js';
import { type Trouble, troubleOf } from '../shared/trouble.js';
import type { RollbackContext } from './context.js';

/**
 * Nothing that is down holds a rollback back, and be it the cell cluster: a ring that it does not answer for in time is
 * taken without it. The pass in the ring is asked to end, and terminated as `CellCluster` would do it; Temporal's own lock
 * on the workflow id keeps two passes from one ring.
 */
export class Alone {
  private heardMs = 0;
  private askedMs = 0;
  private readonly beganMs = Date.now();
  private readonly taking = new Set<string>();
  private readonly alarm: Alarm;

  constructor(
    private readonly ctx: RollbackContext,
    private readonly passes: Passes,
    private readonly oustAfterMs: number,
  ) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** The cluster has answered something. */
  hear(): void {
    this.heardMs = Date.now();
    this.clusterIsKnown();
  }

  /** Asks again now and then while a ring is waited for, and takes it where nobody answers. */
  keep(): void {
    const track = tracksOf(this.ctx.state).find((t) => t.stage === 'asked');
    if (!track || this.taking.has(track.requestId)) return;
    const now = Date.now();
    // What an earlier run has heard of it this one does not know.
    if (this.askedMs === 0 && track.sinceMs < this.beganMs) return this.askAgain(now);
    const askedMs = Math.max(track.sinceMs, this.askedMs);
    const isAnswered = this.heardMs >= askedMs;
    const dueMs = (isAnswered ? this.heardMs : askedMs) + CLUSTER_ANSWERS_MS;
    if (now < dueMs) return this.alarm.set(dueMs);
    if (!isAnswered) return void this.ctx.detached(() => this.take(track, askedMs));
    this.askAgain(now);
  }

  private askAgain(now: number): void {
    this.askedMs = now;
    this.passes.resend();
    this.alarm.set(now + CLUSTER_ANSWERS_MS);
  }

  private async take(track: Track, askedMs: number): Promise<void> {
    const { ring, requestId } = track;
    this.taking.add(requestId);
    const answer = await this.askEntry(ring);
    this.taking.delete(requestId);
    // It may only have been slow, as everything is where workers come back.
    if (track.stage !== 'asked' || this.heardMs >= askedMs) return;
    if ('trouble' in answer) {
      noteTrouble(this.ctx.rollback, answer.trouble, Date.now());
      return this.askAgain(Date.now());
    }
    this.clusterIsKnown();
    if (answer.entry === null) return this.drop(track);
    log.warn('the cell cluster does not answer; a rollback takes the ring without it', { ring });
    this.passes.enterUnasked(track, answer.entry);
    while (isStarting(track)) await this.makeRoom(track);
  }

  /** What the pass over a ring works on, null where there is no such ring; or why nobody can say. */
  private async askEntry(ring: number): Promise<{ entry: RingEntry | null } | { trouble: Trouble }> {
    try {
      return { entry: await readEntry({ ring }) };
    } catch (error) {
      const trouble = troubleOf(error);
      if (!trouble) throw error;
      return { trouble };
    }
  }

  private clusterIsKnown(): void {
    const { rollback } = this.ctx;
    if (rollback.trouble?.kind === 'cluster') rollback.trouble = null;
  }

  private drop(track: Track): void {
    const reason = `the topology has no ring ${track.ring}`;
    Object.assign(track, { stage: 'over', result: { outcome: 'lost', code: null, supersededBy: null, reason } });
  }

  private async makeRoom(track: Track): Promise<void> {
    const { ring } = track;
    const holder = await describePass({ ring });
    if (holder === null || !isStarting(track)) return void (await sleep(1_000));
    const by = workflowInfo().workflowId;
    const reason = `the ring is needed for ${by}`;
    const stop = { outcome: 'yielded' as const, by, reason, hurry: false };
    await this.ctx.mail.send(ringRolloutId(ring), stopPassSignal, stop);
    if (await condition(() => !isStarting(track), this.oustAfterMs)) return;
    // Another rollback ends by itself, and is never stopped.
    if (holder.state !== 'rolling-back') await terminatePass({ ring, pass: holder.pass, reason });
  }
}

const isStarting = ({ stage }: Track): boolean => stage === 'granted';
