import { CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { CellRef } from '../../src/contract/activities.js';
import { BAD_ANSWERS } from '../../src/domain/health/readiness.js';
import { turnedBad } from '../../src/domain/ring/pass.js';
import { watchCells } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import type { PassContext } from './context.js';
import type { Flights } from './flights.js';

const BATCH = 100;
const LONGEST_INTERVAL_MS = 30_000;
const SHORTEST_INTERVAL_MS = 500;

/**
 * Watches the cells of a ring that bakes or waits out its grace period: one activity per hundred cells for the whole
 * of it. A cell that turns bad goes back; one that gives no answer keeps the clock from being over.
 */
export class Watch {
  private scope: CancellationScope | null = null;
  private stage = '';
  /** Batches under way. */
  private batches = 0;
  private readonly clock: Alarm;

  constructor(
    private readonly ctx: PassContext,
    private readonly flights: Flights,
  ) {
    this.clock = new Alarm(() => ctx.wake());
  }

  /** Begins, goes on or ends as the pass's stage wants it. */
  keep(): void {
    const { stage, halt, stop } = this.ctx.state;
    const until = this.until();
    if (until === null || halt || stop) return this.end();
    if (this.stage === stage) return;
    this.end();
    this.begin(until);
  }

  private until(): number | null {
    const { stage, bakeUntilMs, graceUntilMs, overridden } = this.ctx.state;
    if (stage === 'bake') return overridden.includes('bake') ? null : bakeUntilMs;
    if (stage === 'grace') return overridden.includes('grace-period') ? null : graceUntilMs;
    return null;
  }

  private begin(untilMs: number): void {
    const { state, roster } = this.ctx;
    this.stage = state.stage;
    const scope = new CancellationScope({ cancellable: true });
    this.scope = scope;
    const watched = roster.cells.filter((_, index) => this.isWatched(index));
    for (let at = 0; at < watched.length; at += BATCH) {
      this.batches += 1;
      void this.watchBatch(scope, watched.slice(at, at + BATCH), untilMs);
    }
    if (watched.length === 0) this.noteWatched();
  }

  /** Cells joined those that are watched: the watch begins anew, with them. */
  renew(): void {
    this.end();
  }

  private end(): void {
    this.scope?.cancel();
    this.scope = null;
    this.stage = '';
    this.batches = 0;
    Object.assign(this.ctx.state, { watched: null, silent: [] });
  }

  /** Where none of them is left to be watched, the clock runs on, and nothing else tells that it is over. */
  private noteWatched(): void {
    this.ctx.state.watched = this.ctx.state.stage;
    const untilMs = this.until();
    if (untilMs !== null && untilMs > Date.now()) this.clock.set(untilMs);
    this.ctx.wake();
  }

  private async watchBatch(scope: CancellationScope, cells: CellRef[], untilMs: number): Promise<void> {
    try {
      for (let left = cells; left.length > 0; ) left = await this.watchOnce(scope, left, untilMs);
    } catch (error) {
      if (!isCancellation(error)) throw error;
    } finally {
      if (this.scope === scope) this.batchEnded();
      this.ctx.wake();
    }
  }

  /** One watch; answers the cells that are to be watched further. */
  private async watchOnce(scope: CancellationScope, cells: CellRef[], untilMs: number): Promise<CellRef[]> {
    const leftMs = untilMs - Date.now();
    const intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, Math.round(leftMs / 10)));
    const order = { cells, untilMs, intervalMs, badInARow: BAD_ANSWERS };
    // The asking alone ends with the scope: what follows from its answer outlives it.
    const { bad, silent } = await scope.run(() => watchCells(order));
    if (this.scope !== scope) return [];
    for (const { cell, reason } of bad) this.turnedBad(cell, reason);
    this.noteSilent(cells, silent);
    this.ctx.wake();
    const stillGood = cells.filter((c) => !bad.some((b) => b.cell === c.id) && this.isStillWatched(c.id));
    return Date.now() < untilMs ? stillGood : stillGood.filter((c) => silent.includes(c.id));
  }

  private batchEnded(): void {
    this.batches -= 1;
    if (this.batches === 0) this.noteWatched();
  }

  private noteSilent(asked: CellRef[], silent: string[]): void {
    const ids = new Set(asked.map((c) => c.id));
    const { state } = this.ctx;
    state.silent = [...state.silent.filter((id) => !ids.has(id)), ...silent].filter((id) => this.isStillWatched(id));
  }

  private turnedBad(cell: string, reason: string): void {
    const index = this.ctx.roster.indexOf(cell);
    if (index === undefined || !this.isWatched(index)) return;
    log.warn('a cell turned unhealthy while it was watched', { cell, reason });
    const { state, rules } = this.ctx;
    if (turnedBad(state, index, { cell, reason }, rules)) this.flights.start(index);
  }

  /** One that was quarantined meanwhile keeps nobody waiting. */
  private isStillWatched(cell: string): boolean {
    const index = this.ctx.roster.indexOf(cell);
    return index !== undefined && this.isWatched(index);
  }

  /** Of a cell whose PDM has failed nobody expects that it is well. */
  private isWatched(index: number): boolean {
    if (this.ctx.state.mending[index]) return false;
    const mark = this.ctx.state.marks[index];
    return mark === 'C' || mark === 'D' || mark === 'M';
  }
}
