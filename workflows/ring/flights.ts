import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { condition, ParentClosePolicy, startChild, WorkflowIdReusePolicy, workflowInfo } from '@temporalio/workflow';
import type { CellLook, CellRef } from '../../src/contract/activities.js';
import { cellRolloutId } from '../../src/contract/ids.js';
import type { CellResult, CellRolloutInput } from '../../src/contract/internal.js';
import type { CellReturn } from '../../src/contract/returning.js';
import { CELLS_CELL, CELLS_RING, CELLS_STATE, CELLS_VERSION } from '../../src/contract/search-attributes.js';
import { cancellable } from '../../src/domain/cell.js';
import { cellDied, cellEnded, drop, landAgain, otherLanded } from '../../src/domain/ring/cell-ended.js';
import { haltForExceptions } from '../../src/domain/ring/halts.js';
import { beforeOf } from '../../src/domain/ring/health.js';
import { noteFailedMigration, noteFirstLook } from '../../src/domain/ring/look.js';
import { type FlightRecord, joinRun, sendBack, takeNext } from '../../src/domain/ring/pass.js';
import { skipAfterOther } from '../../src/domain/ring/people.js';
import { takePutOff } from '../../src/domain/ring/put-off.js';
import { CellRollout, hurrySignal } from '../cell-rollout.js';
import { awaitCells, linger } from '../shared/activities.js';
import { standAsideSignal, standDownSignal, waiveHealthSignal } from '../shared/signals.js';
import type { PassCalendar } from './calendar.js';
import type { PassContext } from './context.js';
import type { Setbacks } from './setbacks.js';

/** What a cell's run does while it is open and nothing is wrong. */
const STATE_OF = { deploy: 'deploying', migrate: 'migrating', rollback: 'rolling-back' } as const;

const THICK_MS = 500;
/** A brake waits for a turn, so this stays well under the second in which it is to be answered. */
const GATHER_MS = 150;
/** A cell's run answers in one turn; who takes longer is named as in flight. */
const STAND_DOWN_MS = 700;

/** The cells' own runs: starts them, learns how they ended, and never loses a slot. */
export class Flights {
  private readonly ended: { index: number; result: CellResult | null }[] = [];
  private lastEndsMs = 0;
  /** Cells that came to the package after the others, as far as that was told. */
  private late: number;

  /** @param look looks at cells, however long AMP takes to answer */
  constructor(
    private readonly ctx: PassContext,
    private readonly calendar: PassCalendar,
    private readonly setbacks: Setbacks,
    private readonly look: (cells: CellRef[]) => Promise<CellLook[]>,
  ) {
    this.late = ctx.state.lateCells ?? 0;
  }

  /** Ends that arrived and were not taken yet: a continue-as-new must not drop them. */
  get hasEnds(): boolean {
    return this.ended.length > 0;
  }

  /**
   * Each start and each end wakes the pass, at three events a turn. Where ends come thick, as in a ring of jobs that were
   * done before, a turn lets some more come first: fewer turns, and a shorter history.
   */
  async gatherEnds(): Promise<void> {
    const comeThick = Date.now() - this.lastEndsMs < THICK_MS;
    if (this.hasEnds) this.lastEndsMs = Date.now();
    if (comeThick) await linger(GATHER_MS).catch(() => undefined);
  }

  startNext(): void {
    const { ctx } = this;
    const braked = ctx.holdingBrakes().length > 0;
    const hold = { braked, trouble: ctx.trouble !== null, closed: this.calendar.wait !== null };
    const { state, entered } = ctx;
    const next = [...takeNext(state, entered.policy, hold), ...takePutOff(state, entered.policy, hold, Date.now())];
    for (const index of next) this.start(index);
  }

  start(index: number): void {
    const flight = this.ctx.state.inFlight[index];
    const cell = this.ctx.roster.cells[index];
    if (!flight || !cell) return;
    flight.sinceMs ??= Date.now();
    void this.fly(index, flight, cell);
  }

  /** Takes one cell back, outside the stage's own order. */
  sendBack(index: number): void {
    sendBack(this.ctx.state, index);
    this.start(index);
  }

  /** Follows the runs that a lost pass left on these cells. */
  join(indices: number[]): void {
    for (const index of indices) joinRun(this.ctx.state, index);
    if (indices.length > 0) void this.followCarried(indices);
  }

  /** Follows cells that an earlier run of this pass started. */
  followAllCarried(): void {
    const flying = Object.keys(this.ctx.state.inFlight).map(Number);
    if (flying.length > 0) void this.followCarried(flying);
  }

  /** Answers whether a cell came to the package after the others. */
  takeEnds(): boolean {
    const { ctx } = this;
    for (const { index, result } of this.ended.splice(0)) {
      const flight = ctx.state.inFlight[index];
      if (!flight) continue;
      // Whoever had it is over: the next run, if there is one, tells its own.
      ctx.setTrouble(ctx.roster.idOf(index), null);
      if (flight.foreign) {
        if (!this.isOurEnd(result)) {
          void this.lookBeforeOwn(index, result);
          continue;
        }
        flight.purpose = result.purpose;
      }
      // Ours died: its order stands, and the next run finds its job under the same key.
      if (result === null && cellDied(ctx.state, index) === 'restart') {
        Object.assign(flight, { carried: false, runId: null });
        this.start(index);
        continue;
      }
      const end = result ?? this.diedForGood(index);
      if (end.to !== null) ctx.roster.see(index, end.to);
      this.setbacks.noteEnd(index, end, flight.sinceMs);
      cellEnded(ctx.state, index, end, ctx.entered.policy, Date.now());
    }
    const before = this.late;
    this.late = ctx.state.lateCells ?? 0;
    return this.late > before;
  }

  /** Cancels the runs of these cells: each cancels its job, and goes back. */
  async cancel(indices: number[]): Promise<void> {
    for (const index of indices) {
      const flight = this.ctx.state.inFlight[index];
      if (flight) flight.cancelled = true;
    }
    await Promise.all(indices.map((index) => this.cancelOne(index)));
  }

  /** Cancels what goes forward, where a half-done job can be gone back from. */
  async cancelForward(): Promise<void> {
    const { ctx } = this;
    const { policy } = ctx.entered;
    const stoppable = ctx.forwardCells().filter((index) => {
      const flight = ctx.state.inFlight[index];
      return flight && !flight.cancelled && cancellable(flight.purpose, policy);
    });
    await this.cancel(stoppable);
  }

  /** Asks the runs of these cells to let their jobs end, and to judge nothing. */
  async hurry(indices: number[]): Promise<void> {
    await Promise.all(
      indices.map((index) => this.ctx.mail.send(cellRolloutId(this.ctx.roster.idOf(index)), hurrySignal)),
    );
  }

  /**
   * A cell that is judged before its deployment may be so for hours: a brake that comes meanwhile has it order nothing any
   * more. Resolves when each of them has ended, or has said that it has gone too far.
   */
  async standDown(): Promise<void> {
    const { state } = this.ctx;
    const asked = Object.entries(state.inFlight).flatMap(([key, flight]) => {
      const index = Number(key);
      return flight.runId !== null && this.mayStandDown(index, flight) ? [{ index, flight }] : [];
    });
    if (asked.length === 0) return;
    for (const { index } of asked) void this.askToStandDown(index);
    const isThere = ({ index, flight }: (typeof asked)[number]) => state.inFlight[index] === flight && !flight.orders;
    await condition(() => !asked.some(isThere), STAND_DOWN_MS);
  }

  /** A cell has gone too far to stand down. */
  noteOrders(cell: string): void {
    const flight = this.ctx.state.inFlight[this.ctx.roster.indexOf(cell) ?? -1];
    if (flight && !flight.foreign) flight.orders = true;
  }

  /** Not where an earlier run of the same order died: that one may have ordered the job. */
  private mayStandDown(index: number, { purpose, foreign, orders }: FlightRecord): boolean {
    const isJudgedBefore = this.ctx.entry?.health?.mode === 'enforce' && purpose === 'deploy';
    return isJudgedBefore && !foreign && !orders && !this.ctx.state.deaths[index];
  }

  private async askToStandDown(index: number): Promise<void> {
    await this.ctx.mail.send(cellRolloutId(this.ctx.roster.idOf(index)), standDownSignal);
  }

  /**
   * A ring that goes back waits for nobody whose health cannot be told: those cells go back at once, and what may not be
   * cancelled counts as it is.
   */
  async dropDoubts(): Promise<void> {
    const { ctx } = this;
    const { policy } = ctx.entered;
    const doubts = ctx.cellsInDoubt().flatMap((index) => {
      const flight = ctx.state.inFlight[index];
      return flight && !flight.cancelled && !flight.waived ? [{ index, flight }] : [];
    });
    const left = doubts.filter(({ flight }) => !cancellable(flight.purpose, policy));
    for (const { flight } of left) flight.waived = true;
    await this.cancel(doubts.filter(({ flight }) => !flight.waived).map(({ index }) => index));
    await this.waive(left.map(({ index }) => index));
  }

  /** A person waits for nobody's health any longer. */
  async waiveHealth(): Promise<void> {
    await this.waive(Object.keys(this.ctx.state.inFlight).map(Number));
  }

  private async waive(indices: number[]): Promise<void> {
    const ids = indices.map(this.ctx.roster.idOf);
    await Promise.all(ids.map((cell) => this.ctx.mail.send(cellRolloutId(cell), waiveHealthSignal)));
  }

  /** A run of another pass is in the way of a rollback, which waits for nobody's health. */
  async waiveHealthOf(cell: string): Promise<void> {
    await this.ctx.mail.send(cellRolloutId(cell), waiveHealthSignal);
  }

  /**
   * What a run of another pass over the same package came to counts as this pass's own, where it ended badly: nothing
   * that failed is repeated unasked. A pass that takes back asks only how the taking back ended.
   */
  private isOurEnd(result: CellResult | null): result is CellResult {
    const { version, purpose } = this.ctx.input;
    if (result === null || result.version !== version) return false;
    if (purpose === 'rollback' && result.purpose !== purpose) return false;
    return result.state !== 'pending' && result.state !== 'converged' && !result.deferred;
  }

  /** A run of another pass was in the way, and is over: what it left is looked at before anything is ordered. */
  private async lookBeforeOwn(index: number, result: CellResult | null): Promise<void> {
    const { ctx } = this;
    const cell = ctx.roster.cells[index];
    if (!cell) return;
    ctx.pending += 1;
    const [look] = await this.look([cell]);
    ctx.pending -= 1;
    ctx.wake();
    if (!look) return this.hear(index, result);
    ctx.roster.see(index, look.facts.version);
    landAgain(ctx.state, index);
    if (ctx.state.leaving?.[index]) return drop(ctx.state, index, result ?? undefined);
    if (noteFirstLook(ctx.state, index, look, ctx.lookRules).goesBack) this.sendBack(index);
    otherLanded(ctx.state, index, { policy: ctx.entered.policy, now: Date.now() });
    const isMended = result?.purpose === 'migrate' && result.state === 'converged';
    if (!isMended && ctx.input.migrationFailed.includes(cell.id)) {
      noteFailedMigration(ctx.state, index, look, ctx.target, ctx.input.mend);
    }
    skipAfterOther(ctx.state, index, ctx.entered.policy);
    haltForExceptions(ctx.state, ctx.entered.policy, Date.now());
  }

  private async fly(index: number, flight: FlightRecord, cell: CellRef): Promise<void> {
    this.ctx.pending += 1;
    flight.sinceMs ??= Date.now();
    try {
      const handle = await startChild(CellRollout, this.optionsFor(index, flight, cell));
      flight.runId = handle.firstExecutionRunId;
      handle.result().then(
        (result) => this.hear(index, result),
        () => this.hear(index, null),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      // Another pass's run still holds the cell: it is waited for first.
      Object.assign(flight, { foreign: true, carried: true });
      const { version, purpose } = this.ctx.input;
      // What goes forward there is not waited for by a rollback of the ring: its job is cancelled, where that may be.
      if (purpose === 'rollback') {
        flight.cancelled = true;
        void this.waiveHealthOf(cell.id);
      } else void this.ctx.mail.send(cellRolloutId(cell.id), standAsideSignal, { version });
      void this.followCarried([index]);
    } finally {
      this.ctx.pending -= 1;
    }
    if (flight.cancelled) await this.cancelOne(index);
    if (this.ctx.state.stop?.hurry) await this.hurry([index]);
    // The brake came while it was started.
    if (this.mayStandDown(index, flight) && this.ctx.holdingBrakes().length > 0) await this.askToStandDown(index);
    this.ctx.wake();
  }

  private optionsFor(index: number, flight: FlightRecord, cell: CellRef) {
    const { purpose } = flight;
    const { version, ring } = this.ctx.input;
    return {
      workflowId: cellRolloutId(cell.id),
      args: [this.orderFor(index, flight, cell)] as [CellRolloutInput],
      // With the default policy a continue-as-new of this pass would kill its cells.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `${purpose} ${version} on ${cell.id}`,
      typedSearchAttributes: [
        { key: CELLS_VERSION, value: version },
        { key: CELLS_RING, value: ring },
        { key: CELLS_CELL, value: cell.id },
        { key: CELLS_STATE, value: STATE_OF[purpose] },
      ] as never,
    };
  }

  private orderFor(index: number, { purpose, cancelled }: FlightRecord, cell: CellRef): CellRolloutInput {
    const { ctx } = this;
    const { ring, version, chartVersion, lane, reason } = ctx.input;
    return {
      cluster: ctx.entered.cluster,
      ring,
      pass: ctx.pass,
      passWorkflowId: workflowInfo().workflowId,
      purpose,
      cell,
      witness: ctx.roster.cells[index === 0 ? 1 : 0] ?? null,
      version,
      chartVersion,
      expectedVersion: ctx.roster.versionOf(index),
      policy: ctx.entered.policy,
      soft: ctx.entered.soft,
      perimeter: ctx.entered.perimeter,
      health: ctx.entered.health,
      before: beforeOf(cell.id, ctx.state.health?.before[index]),
      ...this.calendar.fence(purpose),
      order: ctx.state.orders[index] ?? 1,
      cancelled,
      lane,
      reason: ctx.state.health?.bad[index]?.reason ?? reason,
      ...this.returnOf(cell),
    };
  }

  private returnOf({ id }: CellRef): { back?: CellReturn } {
    const { back } = this.ctx.input;
    if (!back) return {};
    const { allowDowntime, toBlocked, tries } = back;
    const notTo = toBlocked ? [] : (this.ctx.brakes.blocks ?? []);
    return { back: { mayTakeDown: allowDowntime.includes(id), notTo, tries } };
  }

  private hear(index: number, result: CellResult | null): void {
    this.ended.push({ index, result });
    this.ctx.wake();
  }

  /** Ends of runs that this run of the pass did not start reach it only through an activity that waits for them. */
  private async followCarried(indices: number[]): Promise<void> {
    const { roster } = this.ctx;
    for (let left = indices; left.length > 0; ) {
      const ends = await awaitCells({ cells: left.map((index) => this.runOf(index)) });
      const over = new Set<number>();
      for (const end of ends) {
        const index = roster.indexOf(end.cell);
        if (index === undefined) continue;
        over.add(index);
        this.hear(index, end.result as CellResult | null);
      }
      left = left.filter((index) => !over.has(index));
    }
  }

  private runOf(index: number): { cell: string; runId: string | null } {
    const flight = this.ctx.state.inFlight[index];
    return { cell: this.ctx.roster.idOf(index), runId: flight?.foreign ? null : (flight?.runId ?? null) };
  }

  private diedForGood(index: number): CellResult {
    const { version } = this.ctx.input;
    const purpose = this.ctx.state.inFlight[index]?.purpose ?? 'deploy';
    const { deaths } = this.ctx.state;
    const reason = `its workflow ended ${(deaths[index] ?? 0) > 1 ? 'several times ' : ''}without a result`;
    const unknown = { jobId: null, from: null, to: null, deferred: false, needsDowntime: false, cancelled: false };
    return { cell: this.ctx.roster.idOf(index), version, purpose, state: 'failed', reason, ...unknown };
  }

  private async cancelOne(index: number): Promise<void> {
    const flight = this.ctx.state.inFlight[index];
    // One that Temporal has not started yet is cancelled when it has. Another pass's run is as much in flight as ours.
    if (!flight?.runId && !flight?.foreign) return;
    await this.ctx.mail.cancel(cellRolloutId(this.ctx.roster.idOf(index)));
  }
}
