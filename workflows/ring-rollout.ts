import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  log,
  type SignalDefinition,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { CellLook, CellRef } from '../src/contract/activities.js';
import { CLUSTER_WORKFLOW_ID, cellRolloutId, ringRolloutId } from '../src/contract/ids.js';
import type {
  CellNote,
  CellsLeft,
  EnterRing,
  OverrideInPass,
  QuarantineInPass,
  RetryPass,
  SetBrakes,
  SkipInPass,
  StopPass,
  WatchedCells,
} from '../src/contract/internal.js';
import type { RolloutRing } from '../src/contract/status.js';
import { haltForExceptions } from '../src/domain/ring/halts.js';
import { watchedCells } from '../src/domain/ring/health.js';
import { awaitOther, judgeRetry, keepAsLeft, noteFailedMigration, noteFirstLook } from '../src/domain/ring/look.js';
import { hasLeft, settled } from '../src/domain/ring/marks.js';
import {
  leave,
  noteCheck,
  override,
  quarantine,
  readmit,
  resume,
  retried,
  retryable,
  skip,
} from '../src/domain/ring/people.js';
import { advance, isToGoBack } from '../src/domain/ring/stages.js';
import { isMeantFor } from '../src/domain/shapes.js';
import { PassCalendar } from './ring/calendar.js';
import { PassContext, type RingRolloutInput } from './ring/context.js';
import { Flights } from './ring/flights.js';
import { Gates } from './ring/gates.js';
import { HealthWatch } from './ring/health-watch.js';
import { observeOnly } from './ring/observe.js';
import { Reporter } from './ring/reporter.js';
import { Setbacks } from './ring/setbacks.js';
import { Watch } from './ring/watch.js';
import { listOpenCells, lookAtCells } from './shared/activities.js';
import { Alarm } from './shared/alarm.js';
import { mustBeStartedRightly } from './shared/argument.js';
import { whenCancelled } from './shared/cancelled.js';
import { handleOurs } from './shared/handle.js';
import * as signals from './shared/signals.js';
import { troubleOf, troublePauseMs } from './shared/trouble.js';

export type { RingRolloutInput } from './ring/context.js';

export const ringStatusQuery = defineQuery<RolloutRing>('status');
export const watchedQuery = defineQuery<WatchedCells, [look?: number]>('watched');

const LOOK_BATCH = 100;
const LOOKS_AT_ONCE = 4;
const ENTER_AGAIN_MS = 10_000;
const LIST_AGAIN_MS = 5_000;
/** Low enough that the window's own ends, at most 500 in flight, stay well under Temporal's limits. */
const CONTINUE_AFTER_EVENTS = 6_000;

/**
 * One pass over one ring: look at every cell; first cells, then the rest in a sliding window; bake; grace period; PDM.
 * Or only PDM, or only going back, by its purpose. Ends when nothing is left to do for it; a halted pass of a ring
 * that blocks waits for a person.
 */
export async function RingRollout(input: RingRolloutInput): Promise<RolloutRing> {
  mustBeStartedRightly('RingRollout', input, () => ringRolloutId(input.ring));
  const run = new RingRun(input);
  whenCancelled(() => run.cancelledByHand());
  return await CancellationScope.nonCancellable(() => run.toTheEnd());
}

class RingRun {
  private readonly ctx: PassContext;
  private readonly flights: Flights;
  private readonly watch: Watch;
  private readonly health: HealthWatch;
  private readonly gates: Gates;
  private readonly calendar: PassCalendar;
  private readonly reporter: Reporter;
  private readonly setbacks: Setbacks;
  /** Rings when cells that are busy or unreachable are to be tried again. */
  private readonly comeBack: Alarm;

  constructor(private readonly input: RingRolloutInput) {
    this.ctx = new PassContext(input);
    this.setbacks = new Setbacks(this.ctx);
    this.calendar = new PassCalendar(this.ctx);
    this.flights = new Flights(this.ctx, this.calendar, this.setbacks, (cells) => this.look(cells, () => false));
    this.watch = new Watch(this.ctx, this.flights);
    this.health = new HealthWatch(this.ctx, this.flights);
    this.gates = new Gates(this.ctx);
    this.reporter = new Reporter(this.ctx, this.calendar);
    this.comeBack = new Alarm(() => this.ctx.wake());
    this.listen();
  }

  async toTheEnd(): Promise<RolloutRing> {
    if (this.input.carried) this.flights.followAllCarried();
    else if (await this.enterRing()) await this.lookAtAllCells();
    this.ctx.knowsFlights = true;
    if (this.ctx.entry) this.gates.begin();
    while (this.ctx.entry && !this.isOver()) await this.goOn();
    if (this.ctx.entry) this.setbacks.keep();
    this.ctx.state.stage = 'done';
    this.ctx.isOver = true;
    await this.reporter.end();
    await condition(() => this.ctx.mail.onItsWay === 0 && this.setbacks.areTold && allHandlersFinished());
    return this.reporter.view();
  }

  /** Takes what happened, starts what may start, tells what changed; then waits for more to happen. */
  private async goOn(): Promise<void> {
    const { ctx } = this;
    await this.flights.gatherEnds();
    ctx.woken = false;
    const cameLate = this.flights.takeEnds();
    while (advance(ctx.state, ctx.rules)) ctx.wake();
    if (cameLate) this.watch.renew();
    this.setComeBack();
    this.calendar.keep();
    // A long history starts nothing more: the window stays as it is, and goes over into the next run.
    if (!this.isLong()) this.flights.startNext();
    if (isToGoBack(ctx.state, ctx.entered.policy)) void this.flights.dropDoubts();
    this.watch.keep();
    this.health.keep();
    this.gates.keep();
    this.setbacks.keep();
    // The last report follows by itself.
    if (this.isOver()) return;
    this.reporter.publish();
    if (this.mayContinueAsNew()) await this.continueAsNew();
    await condition(() => ctx.woken || this.mayContinueAsNew());
  }

  /** What is due already waits for something else, whose end wakes the pass. */
  private setComeBack(): void {
    const nextAtMs = this.ctx.state.putOff?.nextAtMs ?? null;
    this.comeBack.set(nextAtMs !== null && nextAtMs > Date.now() ? nextAtMs : null);
  }

  private isOver(): boolean {
    const { state, pending } = this.ctx;
    return state.stage === 'done' && settled(state) && pending === 0;
  }

  cancelledByHand(): void {
    const by = 'temporal cancel';
    this.stop({ outcome: 'aborted', by, reason: 'the pass was cancelled through Temporal', hurry: false });
  }

  // ── the ring is entered: the cluster says what this pass works on ──────────

  /** Answers whether the pass was let in. */
  private async enterRing(): Promise<boolean> {
    const { ctx } = this;
    const { ring, requestId, version, purpose, starter } = this.input;
    const ask: EnterRing = { ring, requestId, pass: ctx.pass, version, purpose, starter };
    if (this.input.entry) ctx.enter(this.input.entry);
    while (!ctx.entry && !ctx.state.stop) {
      await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.enterRingSignal, ask);
      await condition(() => ctx.entry !== null || ctx.state.stop !== null, ENTER_AGAIN_MS);
    }
    const refused = ctx.entry?.refused ?? null;
    if (refused !== null) this.stop({ outcome: 'yielded', by: 'cell-cluster', reason: refused, hurry: false });
    return ctx.state.stop === null;
  }

  // ── looking first ──────────────────────────────────────────────────────────

  private async lookAtAllCells(): Promise<void> {
    const { cells } = this.ctx.roster;
    const open = (await this.openCells()).flatMap((cell) => this.ctx.roster.indexOf(cell) ?? []);
    const isBack = this.input.purpose === 'rollback';
    if (!isBack) this.flights.join(open);
    this.ctx.knowsFlights = true;
    const looks: CellLook[] = new Array(cells.length);
    let next = 0;
    const lookOn = async () => {
      while (next < cells.length && !this.ctx.state.stop) {
        const from = next;
        next += LOOK_BATCH;
        const batch = await this.look(cells.slice(from, next));
        for (const [i, look] of batch.entries()) looks[from + i] = look;
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, lookOn));
    if (this.ctx.state.stop) return;
    this.noteLooks(looks);
    if (this.ctx.observesOnly) return await observeOnly(this.ctx, looks);
    if (isBack) for (const index of open) awaitOther(this.ctx.state, index);
  }

  /**
   * Cells that runs of another pass still work on, which was lost: they may bring the package there, or take it back,
   * after the look. Where nobody can tell, a rollback goes by the look alone; what goes forward waits until it is known.
   */
  private async openCells(): Promise<string[]> {
    const { ring, purpose, afterLoss } = this.input;
    if (purpose === 'rollback') return await listOpenCells({ ring }).catch(() => []);
    while (afterLoss && !this.ctx.state.stop) {
      try {
        return await listOpenCells({ ring });
      } catch (error) {
        log.warn('Temporal does not say which cells have a run, and is asked again', { ring, error: String(error) });
        await sleep(LIST_AGAIN_MS);
      }
    }
    return [];
  }

  private noteLooks(looks: CellLook[]): void {
    const { ctx } = this;
    let newer = 0;
    for (const [index, look] of looks.entries()) {
      ctx.roster.see(index, look.facts.version);
      // What the run comes to that a lost pass left there counts, and not what is seen before its end.
      if (ctx.state.inFlight[index] || hasLeft(ctx.state, index)) continue;
      const { isNewer, goesBack } = noteFirstLook(ctx.state, index, look, ctx.lookRules);
      if (isNewer) newer += 1;
      if (goesBack && !ctx.observesOnly) this.flights.sendBack(index);
    }
    this.keepWhatWasLeft(looks);
    ctx.looked = true;
    for (const message of [...this.input.skips, ...ctx.skipsBefore]) this.skip(message);
    for (const message of ctx.quarantinesBefore) this.quarantine(message);
    if (ctx.observesOnly) return;
    haltForExceptions(ctx.state, ctx.entered.policy, Date.now());
    // PDM of an older package has no place where a newer one runs; a ring that is past this package needs none of it.
    if (newer > 0 && (newer === looks.length || this.input.purpose === 'migrate')) this.refuseAsOlder();
  }

  /** What earlier passes of this package over the ring know better than a look. */
  private keepWhatWasLeft(looks: CellLook[]): void {
    const { roster, state, input, target } = this.ctx;
    for (const left of input.leftBehind) {
      const index = roster.indexOf(left.cell);
      if (index !== undefined && input.purpose === 'deploy') keepAsLeft(state, index, left);
    }
    for (const cell of input.migrationFailed) {
      const index = roster.indexOf(cell) ?? -1;
      const look = looks[index];
      if (look) noteFailedMigration(state, index, look, target, input.mend);
    }
  }

  private refuseAsOlder(): void {
    this.ctx.refusal = 'newer_running';
    this.stop({ outcome: 'superseded', by: '', reason: 'the ring runs a newer package', hurry: false });
  }

  /** Looks until AMP answers, or nobody needs to know any more; meanwhile the ring is held, and says so. */
  private async look(cells: CellRef[], isIdle = () => this.ctx.state.stop !== null): Promise<CellLook[]> {
    const { ctx } = this;
    const order = { cluster: ctx.entered.cluster, ring: this.input.ring, ...ctx.target, askReadiness: false };
    for (let tries = 1; ; tries += 1) {
      try {
        const looks = await lookAtCells({ ...order, cells });
        ctx.setTrouble('the look', null);
        return looks;
      } catch (error) {
        const trouble = troubleOf(error);
        if (!trouble) throw error;
        ctx.setTrouble('the look', trouble);
        this.reporter.publish();
        if (isIdle()) return [];
        await sleep(troublePauseMs(tries));
      }
    }
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    const { ctx } = this;
    this.hear(signals.ringEntrySignal, (m) => ctx.enter(m));
    this.hear(signals.setBrakesSignal, (m) => this.setBrakes(m));
    this.hear(signals.stopPassSignal, (m) => this.stop(m));
    this.hear(signals.retryPassSignal, (m) => this.retry(m));
    this.hear(signals.skipInPassSignal, (m) => this.change(() => this.skip(m)));
    handleOurs(signals.quarantineInPassSignal, (m) => this.change(() => this.quarantine(m)));
    this.hear(signals.overrideInPassSignal, (m) => this.change(() => this.override(m)));
    this.hear(signals.checkInPassSignal, (m) => this.change(() => noteCheck(ctx.state, m)));
    this.hear(signals.holdForwardSignal, ({ held }) =>
      this.change(() => Object.assign(ctx.state, { holdForward: held })),
    );
    this.hear(signals.bakedEverywhereSignal, () =>
      this.change(() => Object.assign(ctx.state, { bakedEverywhere: true })),
    );
    this.hear(signals.cellsLeftSignal, (m) => this.change(() => this.drop(m)));
    this.hear(signals.ringHealthSignal, (m) => this.change(() => this.health.note(m)));
    this.hear(signals.ringGateSignal, (m) => this.change(() => this.gates.noteGate(m.detail)));
    this.hear(signals.ringChecksSignal, (m) => this.change(() => this.gates.noteChecks(m)));
    this.hear(signals.reportNowSignal, () => this.reporter.reportNow());
    handleOurs(signals.cellOrdersSignal, ({ cell }) => this.change(() => this.flights.noteOrders(cell)));
    handleOurs(signals.cellNoteSignal, (m) => this.change(() => this.noteCell(m)));
    setHandler(watchedQuery, (look) => ({ requestId: this.input.requestId, ...watchedCells(ctx.state, look) }), {
      description: 'Which cells are to be watched for their health.',
    });
    setHandler(ringStatusQuery, () => this.reporter.view(), {
      description: 'What this pass does, and what it waits for.',
    });
  }

  /** What was sent to the pass before this one, or after it, changes nothing here. */
  private hear<Message>(signal: SignalDefinition<[Message]>, handler: (message: Message) => unknown): void {
    handleOurs(signal, (m) => (isMeantFor(this.input.requestId, m) ? handler(m) : undefined));
  }

  /** Before the ring is entered there is nothing to drop: its entry will not have them. */
  private drop({ cells }: CellsLeft): void {
    const { ctx } = this;
    if (!ctx.entry) return;
    const indices = cells.flatMap((cell) => ctx.roster.indexOf(cell) ?? []);
    for (const index of indices) leave(ctx.state, index, ctx.entry.policy);
    void this.flights.hurry(indices.filter((index) => ctx.state.inFlight[index]));
    this.watch.renew();
  }

  private override({ wait, waiver }: OverrideInPass): void {
    if (waiver) return this.calendar.waive(waiver);
    const { ctx, gates, health } = this;
    const inDoubt = ctx.cellsInDoubt().map(ctx.roster.idOf);
    override(ctx.state, wait, { inDoubt, isForOthers: gates.isShut || health.isBlind, now: Date.now() });
    gates.keep();
    if (wait !== 'health') return;
    this.health.hold();
    void this.flights.waiveHealth();
  }

  /** A run that another package's pass left behind orders nothing any more, although this one has not come to its cell. */
  private noteCell({ cell, version = this.input.version, trouble }: CellNote): void {
    const { ctx, input } = this;
    if (trouble && version !== input.version) {
      void ctx.mail.send(cellRolloutId(cell), signals.standAsideSignal, { version: input.version });
    }
    ctx.noteCell(cell, trouble);
    const isHealth = trouble?.kind === 'health' || trouble?.kind === 'prometheus';
    if (isHealth && input.purpose === 'rollback') void this.flights.waiveHealthOf(cell);
    // Nobody waits for the health of a cell in a pass that is to end.
    if (trouble && ctx.state.stop) void this.flights.hurry(ctx.cellsInDoubt());
  }

  private change(act: () => unknown): void {
    act();
    this.ctx.wake();
  }

  /** Brakes are answered at once: from here on no cell starts that they stop. Then cells are cancelled, if asked. */
  private async setBrakes(message: SetBrakes): Promise<void> {
    const { ctx } = this;
    const inForce = ctx.setBrakes(message);
    // Runs of a lost pass may order something still: an answer that does not name them would be none.
    if (!ctx.knowsFlights) await condition(() => ctx.knowsFlights);
    const asker = message.from === 'cluster' ? CLUSTER_WORKFLOW_ID : this.input.starter;
    const { ring, requestId, version, purpose } = this.input;
    ctx.wake();
    if (ctx.holdingBrakes().length > 0) await this.flights.standDown();
    const inFlight = ctx.forwardCells().map(ctx.roster.idOf);
    const hold = {
      ring,
      requestId,
      pass: ctx.pass,
      version,
      purpose,
      starter: this.input.starter,
      ...inForce,
      inFlight,
    };
    await this.ctx.mail.sendAtOnce(asker, signals.brakesHoldSignal, hold);
    if (ctx.entry && ctx.holdingBrakes().some((b) => b.mode === 'cancel-cells')) await this.flights.cancelForward();
  }

  /** A rollback is never stopped; and what stops a pass first stays its reason. */
  private stop(stop: StopPass): void {
    const { ctx } = this;
    const isRollback = this.input.purpose === 'rollback' && stop.by !== 'cell-cluster' && !stop.evenRollback;
    if (isRollback || ctx.state.stop) return;
    ctx.state.stop = stop;
    void this.flights.hurry(stop.hurry ? ctx.forwardCells() : ctx.cellsInDoubt());
    ctx.wake();
  }

  private async retry({ cells }: RetryPass): Promise<void> {
    const { ctx } = this;
    // Its starter sees by the last report that this retry was not heard.
    if (ctx.isOver) return;
    ctx.state.retries = (ctx.state.retries ?? 0) + 1;
    if (!ctx.entry) return;
    const named = cells === null ? null : cells.flatMap((id) => ctx.roster.indexOf(id) ?? []);
    const asked = retryable(ctx.state, named);
    const { halt } = ctx.state;
    ctx.pending += 1;
    for (let at = 0; at < asked.length; at += LOOK_BATCH) {
      const batch = asked.slice(at, at + LOOK_BATCH);
      const looks = await this.look(batch.flatMap((index) => ctx.roster.cells[index] ?? []));
      for (const [i, look] of looks.entries()) this.lookedAgain(batch[i] ?? -1, look);
    }
    ctx.pending -= 1;
    resume(ctx.state, ctx.entered.policy, Date.now(), halt);
    this.watch.renew();
    ctx.wake();
  }

  private lookedAgain(index: number, look: CellLook): void {
    const { ctx } = this;
    if (retryable(ctx.state, [index]).length === 0) return;
    retried(ctx.state, index, judgeRetry(ctx.state, index, look, ctx.target));
    ctx.roster.see(index, look.facts.version);
  }

  /** What is said before every cell was looked at counts from then on. */
  private skip(message: SkipInPass): void {
    const { ctx } = this;
    if (!ctx.looked) {
      ctx.skipsBefore.push(message);
      return;
    }
    const { cell, by, reason } = message;
    const index = ctx.roster.indexOf(cell);
    if (index !== undefined) skip(ctx.state, index, by, reason, ctx.entered.policy);
  }

  private quarantine(message: QuarantineInPass): void {
    const { ctx } = this;
    if (!ctx.looked) {
      ctx.quarantinesBefore.push(message);
      return;
    }
    const { cell, by, reason, out } = message;
    const index = ctx.roster.indexOf(cell);
    if (index === undefined) return;
    if (!out) return readmit(ctx.state, index);
    quarantine(ctx.state, index, by, reason, ctx.entered.policy);
    ctx.state.silent = ctx.state.silent.filter((id) => id !== cell);
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  private isLong(): boolean {
    if (this.ctx.state.stage === 'done') return false;
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > (this.ctx.entered.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
  }

  /** Not while something is under way that only this run can hear, nor with an end that it has not taken yet. */
  private mayContinueAsNew(): boolean {
    const { pending, mail } = this.ctx;
    const isQuiet = pending === 0 && mail.onItsWay === 0 && allHandlersFinished();
    return isQuiet && this.isLong() && !this.flights.hasEnds;
  }

  /** Carries the window over as it is: cells in flight go on, and the next run waits for them by an activity. */
  private async continueAsNew(): Promise<never> {
    const { ctx } = this;
    for (const flight of Object.values(ctx.state.inFlight)) flight.carried = true;
    return await continueAsNew<typeof RingRollout>({ ...this.input, carried: ctx.carry() });
  }
}
