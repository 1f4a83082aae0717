import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import type { CellLook, CellRef } from '../src/contract/activities.js';
import { CLUSTER_WORKFLOW_ID, cellRolloutId } from '../src/contract/ids.js';
import type {
  CellNote,
  CellResult,
  CellRolloutInput,
  EnterRing,
  RetryPass,
  RingEntry,
  RingReport,
  SetBrakes,
  SkipInPass,
  StopPass,
} from '../src/contract/internal.js';
import type { OverridableWait } from '../src/contract/messages.js';
import { CELLS_CELL, CELLS_RING, CELLS_STATE, CELLS_VERSION } from '../src/contract/search-attributes.js';
import type { BrakeStatus, PassPurpose, RingState, RolloutRing } from '../src/contract/status.js';
import { holding } from '../src/domain/brake.js';
import { cancellable, type Target } from '../src/domain/cell.js';
import { markdownOfRing } from '../src/domain/details.js';
import { judgeRetry, noteFirstLook } from '../src/domain/ring/look.js';
import {
  advance,
  cellDied,
  cellEnded,
  newPass,
  type PassState,
  resume,
  retried,
  retryable,
  sendBack,
  settled,
  skip,
  takeNext,
} from '../src/domain/ring/pass.js';
import { resultOf, type ViewContext, viewOf } from '../src/domain/ring/view.js';
import { unpackCells } from '../src/domain/snapshot.js';
import { CellRollout, hurrySignal } from './cell-rollout.js';
import { awaitCells, lookAtCells, raiseAlert, watchCells } from './shared/activities.js';
import { signalTo } from './shared/signal-to.js';
import {
  bakedEverywhereSignal,
  brakesHoldSignal,
  cellNoteSignal,
  checkInPassSignal,
  enterRingSignal,
  holdForwardSignal,
  overrideInPassSignal,
  retryPassSignal,
  ringEntrySignal,
  ringReportSignal,
  setBrakesSignal,
  skipInPassSignal,
  stopPassSignal,
} from './shared/signals.js';
import { troubleOf } from './shared/trouble.js';

export interface RingRolloutInput {
  ring: number;
  version: string;
  chartVersion: string | null;
  purpose: PassPurpose;
  lane: string | null;
  requestId: string;
  /** Workflow id of whoever started this pass. */
  starter: string;
  packageBrakes: BrakeStatus[];
  packageBrakesSeq: number;
  /** Cells that a person wants left out of the way. */
  skips: SkipInPass[];
  reason: string;
  /** Events after which the pass continues as new; tests set a low number. */
  continueAsNewAfter?: number;
  /** What an earlier run of this pass carried over. */
  carried?: Carried;
}

interface Carried {
  startedAtMs: number;
  entry: RingEntry;
  state: PassState;
  /** Versions seen, and for each cell the index into them: the fence of its first order. */
  versions: (string | null)[];
  seen: number[];
  observed: Record<string, number>;
  brakes: { cluster: BrakeStatus[]; package: BrakeStatus[]; clusterSeq: number; packageSeq: number };
  /** `finish-ring` brakes that were on when the ring was entered: they stop this pass too. */
  brakedAtEntry: string[];
  refusal: string | null;
}

export const ringStatusQuery = defineQuery<RolloutRing>('status');

const LOOK_BATCH = 100;
const LOOKS_AT_ONCE = 4;
const ENTER_AGAIN_MS = 10_000;
const TROUBLE_AGAIN_MS = 5_000;
const CONTINUE_AFTER_EVENTS = 6_000;
const REPORT_EVERY_MS = 2_000;
const BAD_LOOKS_IN_A_ROW = 3;

/**
 * One pass over one ring: look at every cell; first cells, then the rest in a sliding window; bake; grace period; PDM.
 * Or only PDM, or only going back, by its purpose. Ends when nothing is left to do for it; a halted pass of a ring
 * that blocks waits for a person.
 */
export async function RingRollout(input: RingRolloutInput): Promise<RolloutRing> {
  const run = new RingRun(input);
  CancellationScope.current().cancelRequested.catch(() => run.cancelledByHand());
  return await CancellationScope.nonCancellable(() => run.toTheEnd());
}

class RingRun {
  private readonly pass = workflowInfo().firstExecutionRunId;
  private readonly target: Target;
  private startedAtMs = Date.now();
  private entry: RingEntry | null = null;
  private cells: CellRef[] = [];
  private indexOf = new Map<string, number>();
  private state: PassState;
  private versions: (string | null)[] = [];
  private seen: number[] = [];
  private observed: Record<string, number> = {};
  private brakes: Carried['brakes'];
  private brakedAtEntry: string[] = [];
  private refusal: string | null = null;

  private woken = false;
  private looked = false;
  /** Things under way that a continue-as-new would lose. */
  private pending = 0;
  private readonly ended: { index: number; result: CellResult | null }[] = [];
  private readonly troubles = new Map<string, string>();
  private troubleSinceMs = 0;
  private watchScope: CancellationScope | null = null;
  private watchedStage = '';
  private sentImportant = '';
  private sentAll = '';
  private reportTimer = false;
  private shownState: RingState | null = null;
  private alerted = '';

  constructor(private readonly input: RingRolloutInput) {
    this.target = { version: input.version, chartVersion: input.chartVersion };
    this.state = newPass(input.purpose, 0);
    this.brakes = {
      cluster: [],
      package: input.packageBrakes,
      clusterSeq: 0,
      packageSeq: input.packageBrakesSeq,
    };
    this.listen();
    if (input.carried) this.restore(input.carried);
  }

  async toTheEnd(): Promise<RolloutRing> {
    if (!this.entry) await this.enterRing();
    if (!this.looked) await this.lookAtAllCells();
    for (;;) {
      this.takeEnds();
      while (advance(this.state, this.rules())) this.woken = true;
      this.startCells();
      this.watch();
      this.publish();
      if (this.state.stage === 'done' && settled(this.state) && this.pending === 0) break;
      if (this.shouldContinueAsNew()) await this.continueAsNew();
      await condition(() => this.woken);
      this.woken = false;
    }
    await this.report(true);
    await condition(allHandlersFinished);
    return this.view();
  }

  cancelledByHand(): void {
    const by = 'temporal cancel';
    this.stop({ outcome: 'aborted', by, reason: 'the pass was cancelled through Temporal', hurry: false });
  }

  // ── the ring is entered: the cluster says what this pass works on ──────────

  private async enterRing(): Promise<void> {
    while (!this.entry && !this.state.stop) {
      const { ring, requestId, version, purpose, starter } = this.input;
      const ask: EnterRing = { ring, requestId, pass: this.pass, version, purpose, starter };
      await signalTo(CLUSTER_WORKFLOW_ID, enterRingSignal, ask);
      await condition(() => this.entry !== null || this.state.stop !== null, ENTER_AGAIN_MS);
    }
    const entry = this.entry;
    if (!entry || entry.refused !== null) {
      this.refusal = entry?.refused ?? null;
      this.looked = true;
      this.stop({ outcome: 'yielded', by: 'cell-cluster', reason: entry?.refused ?? 'stopped', hurry: false });
    }
  }

  private takeEntry(entry: RingEntry): void {
    if (this.entry) return;
    this.entry = entry;
    this.setCells(unpackCells(entry.cellsGz));
    const stop = this.state.stop;
    this.state = { ...newPass(this.input.purpose, this.cells.length), stop };
    this.brakes.cluster = entry.brakes;
    this.brakes.clusterSeq = entry.brakesSeq;
    this.brakedAtEntry = [...entry.brakes, ...this.brakes.package]
      .filter((b) => b.mode === 'finish-ring')
      .map((b) => b.brakeId);
    this.wake();
  }

  private setCells(cells: CellRef[]): void {
    this.cells = cells;
    this.indexOf = new Map(cells.map((cell, index) => [cell.id, index]));
  }

  // ── looking first ──────────────────────────────────────────────────────────

  private async lookAtAllCells(): Promise<void> {
    const looks = new Array<CellLook | undefined>(this.cells.length);
    const starts: number[] = [];
    for (let at = 0; at < this.cells.length; at += LOOK_BATCH) starts.push(at);
    const worker = async () => {
      for (let at = starts.shift(); at !== undefined && !this.state.stop; at = starts.shift()) {
        const batch = await this.look(this.cells.slice(at, at + LOOK_BATCH), false);
        const from = at;
        batch.forEach((look, i) => {
          looks[from + i] = look;
        });
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker));
    this.looked = true;
    if (this.state.stop) return;
    this.noteLooks(looks);
  }

  private noteLooks(looks: (CellLook | undefined)[]): void {
    const { policy } = this.rules();
    const table = new Map<string | null, number>();
    let newer = 0;
    looks.forEach((look, index) => {
      if (!look) return;
      const { version } = look.facts;
      if (!table.has(version)) table.set(version, table.size);
      this.seen[index] = table.get(version) ?? 0;
      this.observe(version, 1);
      if (noteFirstLook(this.state, index, look, this.target, policy)) newer += 1;
    });
    this.versions = [...table.keys()];
    const all = newer > 0 && newer === this.cells.length;
    for (const { cell, by, reason } of this.input.skips) this.skip(cell, by, reason);
    if (all || (newer > 0 && this.input.purpose === 'migrate')) this.refuse('newer_running');
  }

  private refuse(code: string): void {
    this.refusal = code;
    this.stop({ outcome: 'superseded', by: 'the look', reason: 'the ring runs a newer package', hurry: false });
  }

  /** Looks until AMP answers; meanwhile the ring is held, and says so. */
  private async look(cells: CellRef[], askReadiness: boolean): Promise<CellLook[]> {
    for (;;) {
      try {
        const { ring } = this.input;
        const looks = await lookAtCells({ cluster: this.cluster, ring, cells, ...this.target, askReadiness });
        this.setTrouble('the look', null);
        return looks;
      } catch (error) {
        const trouble = troubleOf(error);
        if (!trouble) throw error;
        this.setTrouble('the look', trouble.detail);
        this.publish();
        if (this.state.stop) return [];
        await sleep(TROUBLE_AGAIN_MS);
      }
    }
  }

  // ── cells ──────────────────────────────────────────────────────────────────

  private startCells(): void {
    if (!this.entry) return;
    const hold = { braked: this.holdingBrakes().length > 0, trouble: this.troubles.size > 0 };
    for (const index of takeNext(this.state, this.rules().policy, hold)) void this.fly(index);
  }

  /** Starts a cell's own run, and follows it. Where another pass's run still holds the cell, waits for that first. */
  private async fly(index: number): Promise<void> {
    const flight = this.state.inFlight[index];
    const cell = this.cells[index];
    if (!flight || !cell) return;
    this.pending += 1;
    try {
      const handle = await startChild(CellRollout, {
        workflowId: cellRolloutId(cell.id),
        args: [this.orderFor(index, cell)],
        // With the default policy a continue-as-new of this pass would kill its cells.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        staticSummary: `${flight.purpose} ${this.input.version} on ${cell.id}`,
        typedSearchAttributes: [
          { key: CELLS_VERSION, value: this.input.version },
          { key: CELLS_RING, value: this.input.ring },
          { key: CELLS_CELL, value: cell.id },
          { key: CELLS_STATE, value: flight.purpose === 'migrate' ? 'migrating' : 'deploying' },
        ],
      });
      flight.runId = handle.firstExecutionRunId;
      this.follow(index, handle.result());
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      flight.foreign = true;
      flight.carried = true;
      void this.followCarried([index]);
    } finally {
      this.pending -= 1;
    }
    if (flight.cancelled) await this.cancelCell(index);
    if (this.state.stop?.hurry) await this.hurryCell(index);
    this.wake();
  }

  private orderFor(index: number, cell: CellRef): CellRolloutInput {
    const flight = this.state.inFlight[index];
    return {
      cluster: this.cluster,
      ring: this.input.ring,
      pass: this.pass,
      passWorkflowId: workflowInfo().workflowId,
      purpose: flight?.purpose ?? 'deploy',
      cell,
      version: this.input.version,
      chartVersion: this.input.chartVersion,
      expectedVersion: this.versions[this.seen[index] ?? -1] ?? null,
      policy: this.rules().policy,
      order: this.state.orders[index] ?? 1,
      lane: this.input.lane,
      reason: this.input.reason,
    };
  }

  private follow(index: number, result: Promise<CellResult>): void {
    result.then(
      (r) => this.hear(index, r),
      () => this.hear(index, null),
    );
  }

  private hear(index: number, result: CellResult | null): void {
    this.ended.push({ index, result });
    this.wake();
  }

  /** Ends of runs that this run of the pass did not start reach it only through an activity that waits for them. */
  private async followCarried(indices: number[]): Promise<void> {
    let left = indices;
    while (left.length > 0) {
      const waited = left.flatMap((index) => {
        const flight = this.state.inFlight[index];
        const cell = this.cells[index];
        return flight && cell ? [{ cell: cell.id, runId: flight.foreign ? null : flight.runId }] : [];
      });
      const ends = await awaitCells({ cells: waited });
      for (const end of ends) {
        const index = this.indexOf.get(end.cell);
        if (index !== undefined) this.hear(index, end.result as CellResult | null);
      }
      const over = new Set(ends.map((end) => end.cell));
      left = left.filter((index) => !over.has(this.cells[index]?.id ?? ''));
    }
  }

  private takeEnds(): void {
    const { policy } = this.rules();
    for (const { index, result } of this.ended.splice(0)) {
      const flight = this.state.inFlight[index];
      if (!flight) continue;
      // Another pass's run was in the way, or ours died: this pass's order stands, under the same key.
      if (flight.foreign || (result === null && cellDied(this.state, index) === 'restart')) {
        Object.assign(flight, { foreign: false, carried: false, runId: null });
        void this.fly(index);
        continue;
      }
      this.setTrouble(this.cells[index]?.id ?? '', null);
      const end = result ?? this.died(index);
      this.move(index, end);
      cellEnded(this.state, index, end, policy, Date.now());
    }
  }

  private died(index: number): CellResult {
    const cell = this.cells[index]?.id ?? '';
    const reason = 'its workflow ended several times without a result';
    const unknown = { jobId: null, from: null, to: null, deferred: false, needsDowntime: false };
    return { cell, state: 'failed', reason, ...unknown };
  }

  /** Keeps the count of what runs where. */
  private move(index: number, end: CellResult): void {
    const before = this.versions[this.seen[index] ?? -1] ?? null;
    const after = end.to ?? before;
    if (before === after) return;
    this.observe(before, -1);
    this.observe(after, 1);
    let at = this.versions.indexOf(after);
    if (at < 0) at = this.versions.push(after) - 1;
    this.seen[index] = at;
  }

  private observe(version: string | null, by: number): void {
    const key = version ?? 'unknown';
    const count = (this.observed[key] ?? 0) + by;
    if (count > 0) this.observed[key] = count;
    else delete this.observed[key];
  }

  private async cancelCell(index: number): Promise<void> {
    const cell = this.cells[index];
    if (!cell || this.state.inFlight[index]?.foreign) return;
    await getExternalWorkflowHandle(cellRolloutId(cell.id))
      .cancel()
      .catch(() => undefined);
  }

  private async hurryCell(index: number): Promise<void> {
    const cell = this.cells[index];
    if (cell) await signalTo(cellRolloutId(cell.id), hurrySignal);
  }

  // ── watching a ring that bakes ─────────────────────────────────────────────

  private watch(): void {
    const { stage, overridden } = this.state;
    const until = stage === 'bake' ? this.state.bakeUntilMs : stage === 'grace' ? this.state.graceUntilMs : null;
    const over = overridden.includes(stage === 'bake' ? 'bake' : 'grace-period');
    if (until === null || over || this.state.halt || this.state.stop) return this.endWatch();
    if (this.watchedStage === stage) return;
    this.endWatch();
    this.watchedStage = stage;
    const watched = this.cells.flatMap((cell, i) => ('CDM'.includes(this.state.marks[i] ?? '') ? [cell] : []));
    const scope = new CancellationScope({ cancellable: true });
    this.watchScope = scope;
    for (let at = 0; at < watched.length; at += LOOK_BATCH) {
      this.state.watching += 1;
      void scope.run(() => this.watchBatch(scope, watched.slice(at, at + LOOK_BATCH), until));
    }
  }

  private async watchBatch(scope: CancellationScope, cells: CellRef[], untilMs: number): Promise<void> {
    const intervalMs = Math.min(30_000, Math.max(500, Math.round((untilMs - Date.now()) / 10)));
    let left = cells;
    let until = untilMs;
    try {
      while (left.length > 0) {
        const seen = await watchCells({ cells: left, untilMs: until, intervalMs, badInARow: BAD_LOOKS_IN_A_ROW });
        if (this.watchScope !== scope) return;
        for (const { cell, reason } of seen.bad) this.turnedBad(cell, reason);
        const bad = new Set(seen.bad.map((b) => b.cell));
        this.setSilent(left, seen.silent);
        left = left.filter((c) => !bad.has(c.id));
        if (Date.now() >= untilMs) {
          left = left.filter((c) => seen.silent.includes(c.id));
          until = Date.now() + intervalMs * 10;
        }
        this.wake();
      }
    } catch (error) {
      if (!isCancellation(error)) throw error;
    } finally {
      if (this.watchScope === scope) this.state.watching -= 1;
      this.wake();
    }
  }

  private setSilent(asked: CellRef[], silent: string[]): void {
    const ids = new Set(asked.map((c) => c.id));
    this.state.silent = [...this.state.silent.filter((id) => !ids.has(id)), ...silent];
  }

  private turnedBad(cell: string, reason: string): void {
    const index = this.indexOf.get(cell);
    if (index === undefined || !'CDM'.includes(this.state.marks[index] ?? '')) return;
    log.warn('a cell turned unhealthy while it was watched', { cell, reason });
    sendBack(this.state, index);
    void this.fly(index);
  }

  private endWatch(): void {
    this.watchScope?.cancel();
    this.watchScope = null;
    this.watchedStage = '';
    this.state.watching = 0;
    this.state.silent = [];
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    const on = { description: 'Between the coordinator’s own workflows.' };
    setHandler(ringEntrySignal, (m) => this.takeEntry(m), on);
    setHandler(setBrakesSignal, (m) => this.setBrakes(m), on);
    setHandler(stopPassSignal, (m) => this.stop(m), on);
    setHandler(retryPassSignal, (m) => this.retry(m), on);
    setHandler(skipInPassSignal, ({ cell, by, reason }) => this.change(() => this.skip(cell, by, reason)), on);
    setHandler(overrideInPassSignal, ({ wait }) => this.change(() => this.override(wait)), on);
    setHandler(holdForwardSignal, ({ reason }) => this.change(() => this.holdForward(reason)), on);
    setHandler(bakedEverywhereSignal, () => this.change(() => this.bakedEverywhere()), on);
    setHandler(checkInPassSignal, ({ name, outcome, by }) => this.change(() => this.check(name, outcome, by)), on);
    setHandler(cellNoteSignal, (m) => this.change(() => this.note(m)), on);
    setHandler(ringStatusQuery, () => this.view(), { description: 'What this pass does, and what it waits for.' });
  }

  private change(act: () => unknown): void {
    act();
    this.wake();
  }

  /** Brakes are answered at once: from here on no cell starts that they stop. Then cells are cancelled, if asked. */
  private async setBrakes({ from, seq, brakes }: SetBrakes): Promise<void> {
    const seqKey = from === 'cluster' ? 'clusterSeq' : 'packageSeq';
    if (seq >= this.brakes[seqKey]) {
      this.brakes[seqKey] = seq;
      this.brakes[from] = brakes;
    }
    const inFlight = this.forwardCells().map((index) => this.idOf(index));
    const told = signalTo(from === 'cluster' ? CLUSTER_WORKFLOW_ID : this.input.starter, brakesHoldSignal, {
      ring: this.input.ring,
      pass: this.pass,
      seq,
      inFlight,
    });
    this.wake();
    await told;
    await this.cancelForBrake();
  }

  private async cancelForBrake(): Promise<void> {
    if (!this.holdingBrakes().some((b) => b.mode === 'cancel-cells')) return;
    if (!cancellable('deploy', this.rules().policy)) return;
    const victims = this.forwardCells().filter((index) => !this.state.inFlight[index]?.cancelled);
    for (const index of victims) {
      const flight = this.state.inFlight[index];
      if (flight && flight.purpose === 'deploy') flight.cancelled = true;
    }
    await Promise.all(victims.filter((i) => this.state.inFlight[i]?.runId).map((i) => this.cancelCell(i)));
  }

  private forwardCells(): number[] {
    return Object.entries(this.state.inFlight)
      .filter(([, flight]) => flight.purpose !== 'rollback')
      .map(([index]) => Number(index));
  }

  /** Brakes that stop this pass from starting anything forward. */
  private holdingBrakes(): BrakeStatus[] {
    const all = holding([...this.brakes.cluster, ...this.brakes.package], Date.now());
    return all.filter((b) => b.mode !== 'finish-ring' || this.brakedAtEntry.includes(b.brakeId));
  }

  private stop(stop: StopPass): void {
    if (this.input.purpose === 'rollback' && this.entry) return;
    if (this.state.stop) return;
    this.state.stop = stop;
    if (stop.hurry) for (const index of this.forwardCells()) void this.hurryCell(index);
    this.wake();
  }

  private async retry({ cells }: RetryPass): Promise<void> {
    const named = cells === null ? null : cells.flatMap((id) => this.indexOf.get(id) ?? []);
    this.pending += 1;
    const asked = retryable(this.state, named);
    for (let at = 0; at < asked.length; at += LOOK_BATCH) {
      const batch = asked.slice(at, at + LOOK_BATCH);
      const looks = await this.look(
        batch.map((index) => this.cells[index] as CellRef),
        false,
      );
      for (const [i, look] of looks.entries()) this.lookedAgain(batch[i] as number, look);
    }
    this.pending -= 1;
    resume(this.state, this.rules().policy, Date.now());
    this.wake();
  }

  private lookedAgain(index: number, look: CellLook): void {
    if (!retryable(this.state, [index]).includes(index)) return;
    retried(this.state, index, judgeRetry(this.state, index, look, this.target));
    this.move(index, { ...this.died(index), to: look.facts.version });
  }

  private skip(cell: string, by: string, reason: string): void {
    const index = this.indexOf.get(cell);
    if (index !== undefined) skip(this.state, index, by, reason, this.rules().policy);
  }

  private holdForward(reason: string | null): void {
    this.state.holdForward = reason;
  }

  private bakedEverywhere(): void {
    this.state.bakedEverywhere = true;
  }

  private check(name: string, outcome: 'passed' | 'failed', by: string): void {
    if (outcome === 'failed' && !this.entry?.soft && !this.state.halt) {
      this.state.halt = { kind: 'check', reason: `check ${name} failed, says ${by}`, sinceMs: Date.now() };
    } else if (outcome === 'passed' && this.state.halt?.kind === 'check') {
      this.state.halt = null;
    }
  }

  private override(wait: OverridableWait): void {
    this.state.overridden.push(wait);
    if (wait === 'check' && this.state.halt?.kind === 'check') this.state.halt = null;
  }

  private note({ cell, trouble }: CellNote): void {
    this.setTrouble(cell, trouble?.detail ?? null);
  }

  private setTrouble(who: string, detail: string | null): void {
    if (this.troubles.size === 0) this.troubleSinceMs = Date.now();
    if (detail === null) this.troubles.delete(who);
    else this.troubles.set(who, detail);
  }

  // ── telling ────────────────────────────────────────────────────────────────

  private view(): RolloutRing {
    return viewOf(this.state, this.viewContext());
  }

  private viewContext(): ViewContext {
    const [trouble] = this.troubles.values();
    return {
      ring: this.input.ring,
      name: this.entry?.name ?? `ring-${this.input.ring}`,
      version: this.input.version,
      perimeter: this.entry?.perimeter ?? false,
      soft: this.entry?.soft ?? false,
      idOf: (index) => this.idOf(index),
      leftOut: this.entry?.leftOut ?? [],
      brakes: this.holdingBrakes(),
      trouble: trouble === undefined ? null : { detail: trouble, sinceMs: this.troubleSinceMs },
      startedAtMs: this.startedAtMs,
      nowMs: Date.now(),
    };
  }

  private readonly idOf = (index: number): string => this.cells[index]?.id ?? '';

  private reportNow(ended: boolean): RingReport {
    const view = this.view();
    const result = resultOf(this.state, this.entry?.soft ?? false);
    const refused = this.refusal === 'newer_running' && result !== null;
    return {
      requestId: this.input.requestId,
      pass: this.pass,
      version: this.input.version,
      purpose: this.input.purpose,
      view,
      observed: this.observed,
      baked: this.state.bakedAtMs !== null,
      migrationFailed: view.exceptions.filter((e) => e.state === 'migration-failed').map((e) => e.cell),
      result: refused && result ? { ...result, outcome: 'refused', code: 'newer_running' } : result,
      ended,
    };
  }

  /** Tells starter and cluster what changed: at once where it matters, else gathered and ever more rarely. */
  private publish(): void {
    const report = this.reportNow(false);
    this.show(report.view);
    const { state, waitingFor, exceptionsTotal } = report.view;
    const important = JSON.stringify([state, waitingFor, exceptionsTotal, report.baked, report.result]);
    if (important !== this.sentImportant) {
      this.sentImportant = important;
      void this.report(false);
      this.alert(report);
    } else if (!this.reportTimer && this.fingerprint(report) !== this.sentAll) {
      void this.reportLater();
    }
  }

  private fingerprint({ view, observed }: RingReport): string {
    return JSON.stringify([view.converged, view.inFlight, view.failed, view.skipped, view.pending, observed]);
  }

  private async reportLater(): Promise<void> {
    this.reportTimer = true;
    await sleep(Math.max(REPORT_EVERY_MS, (Date.now() - this.startedAtMs) / 10));
    this.reportTimer = false;
    if (this.state.stage !== 'done') await this.report(false);
  }

  private async report(ended: boolean): Promise<void> {
    const report = this.reportNow(ended);
    this.sentAll = this.fingerprint(report);
    await Promise.all([
      signalTo(this.input.starter, ringReportSignal, report),
      signalTo(CLUSTER_WORKFLOW_ID, ringReportSignal, report),
    ]);
  }

  private show(view: RolloutRing): void {
    setCurrentDetails(markdownOfRing(this.input.version, view));
    if (view.state === this.shownState) return;
    this.shownState = view.state;
    upsertSearchAttributes([{ key: CELLS_STATE, value: view.state }]);
  }

  private alert(report: RingReport): void {
    const reason = this.state.halt?.reason ?? '';
    if (reason === this.alerted) return;
    this.alerted = reason;
    if (reason === '') return;
    const { ring, version } = this.input;
    void raiseAlert({
      name: 'RingHalted',
      severity: this.entry?.soft ? 's4' : 's2',
      cluster: this.cluster,
      ring,
      version,
      summary: `ring ${ring} halted on ${version}: ${reason}`,
      next: report.view.waitingFor?.next ?? [],
    }).catch(() => undefined);
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  private shouldContinueAsNew(): boolean {
    if (this.state.stage === 'done') return false;
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
  }

  /** Carries the window over as it is: cells in flight go on, and the next run waits for them by an activity. */
  private async continueAsNew(): Promise<void> {
    await condition(() => this.pending === 0 && allHandlersFinished());
    if (this.ended.length > 0 || !this.entry) return;
    for (const flight of Object.values(this.state.inFlight)) flight.carried = true;
    await continueAsNew<typeof RingRollout>({ ...this.input, carried: this.carry(this.entry) });
  }

  private carry(entry: RingEntry): Carried {
    const { startedAtMs, state, versions, seen, observed, brakes, brakedAtEntry, refusal } = this;
    return {
      startedAtMs,
      entry,
      state: { ...state, watching: 0, silent: [] },
      versions,
      seen,
      observed,
      brakes,
      brakedAtEntry,
      refusal,
    };
  }

  private restore(carried: Carried): void {
    this.startedAtMs = carried.startedAtMs;
    this.entry = carried.entry;
    this.setCells(unpackCells(carried.entry.cellsGz));
    this.state = carried.state;
    this.versions = carried.versions;
    this.seen = carried.seen;
    this.observed = carried.observed;
    this.brakes = carried.brakes;
    this.brakedAtEntry = carried.brakedAtEntry;
    this.refusal = carried.refusal;
    this.looked = true;
    const flying = Object.keys(this.state.inFlight).map(Number);
    if (flying.length > 0) void this.followCarried(flying);
  }

  private get cluster(): string {
    return this.entry?.cluster ?? '';
  }

  private rules() {
    const entry = this.entry;
    if (!entry) throw new Error('the ring has not been entered');
    const { policy, soft, perimeter, leftOut } = entry;
    return { policy, soft, perimeter, leftOut: leftOut.length, now: Date.now() };
  }

  private wake(): void {
    this.woken = true;
  }
}
