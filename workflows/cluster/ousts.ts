import { log } from '@temporalio/workflow';
import { forgetUnmet } from '../../src/domain/cluster/holders.js';
import type { Turn } from '../../src/domain/cluster/state.js';
import { nextOust, type TurnAction } from '../../src/domain/cluster/turns.js';
import { terminatePass } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import type { ClusterContext } from './context.js';

type Oust = Extract<TurnAction, { do: 'oust' }>;

/**
 * Passes that a rollback has waited for too long: terminated, so that it gets their ring. What is under way is not in the
 * state: a run that continues as new decides it again, and a pass that is gone already is as good as terminated.
 */
export class Ousts {
  private readonly underWay = new Set<string>();
  private readonly alarm: Alarm;

  constructor(
    private readonly ctx: ClusterContext,
    private readonly afterMs: number,
    /** Takes the turn of a pass that is gone back, and tells its starter. */
    private readonly isGone: (ring: number, turn: Turn) => Promise<void>,
  ) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** Has the cluster decide again when the time of the next one is over. */
  watch(): void {
    this.alarm.set(nextOust(this.ctx.state, Date.now(), this.afterMs));
  }

  async carryOut({ ring, turn, by }: Oust): Promise<void> {
    const holder = turn?.request.requestId ?? `ring ${ring}`;
    if (this.underWay.has(holder)) return;
    this.underWay.add(holder);
    const reason = `it has not made room for the rollback of ${by} on ring ${ring}`;
    log.warn('a pass is terminated', { ring, version: turn?.request.version ?? 'unknown', reason });
    // One that was granted the ring and never entered it is kept from entering by its turn alone.
    if (turn?.pass !== null) await terminatePass({ ring, pass: turn?.pass ?? null, reason });
    this.underWay.delete(holder);
    if (turn === null) this.unmetIsGone(ring);
    else if (this.ctx.state.turns[ring] === turn) await this.isGone(ring, turn);
  }

  /** Who started it hears of its end from Temporal. */
  private unmetIsGone(ring: number): void {
    forgetUnmet(this.ctx.state, ring);
    this.ctx.wake();
  }
}
