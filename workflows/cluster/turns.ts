import { condition, log, sleep, workflowInfo } from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID, packageRollbackId, ringRolloutId } from '../../src/contract/ids.js';
import type {
  AlertBook,
  BrakesHold,
  ClaimRing,
  EnterRing,
  HeldRing,
  PassSpeaks,
  RegisterRollout,
  RequestRing,
  RingAnswer,
  RingEntry,
  RingReport,
  WithdrawRequest,
} from '../../src/contract/internal.js';
import type { BrakeStatus } from '../../src/contract/status.js';
import { handOverAlerts } from '../../src/domain/alerts/cluster.js';
import { COORDINATOR, covers } from '../../src/domain/brake.js';
import { brakeOfBlock, isBlockedBy } from '../../src/domain/cluster/blocks.js';
import { calendarEntry } from '../../src/domain/cluster/calendars.js';
import { noteCellTime } from '../../src/domain/cluster/forecast.js';
import {
  claimTurn,
  endTurn,
  enterTurn,
  forgetEarlierRun,
  forgetUnmet,
  handOver,
  isOfRollout,
  loseStarter,
  meetPass,
  noteRing,
  noteSystemic,
  type TurnEnd,
  takeRequest,
  watchedTurns,
  whoIsGone,
} from '../../src/domain/cluster/holders.js';
import { laneIsGone } from '../../src/domain/cluster/lanes.js';
import { noteChart } from '../../src/domain/cluster/packages.js';
import { cellsInAutomation } from '../../src/domain/cluster/quarantine.js';
import {
  cameTo,
  cellsOfPass,
  isReconcile,
  leavesUnsure,
  noteFailedPdm,
  noteForReconcile,
  noteNotBrought,
  noteReconciled,
} from '../../src/domain/cluster/reconcile.js';
import { noteRepeats } from '../../src/domain/cluster/repeats.js';
import { COLD_START, hasRecalled } from '../../src/domain/cluster/restore.js';
import { forgetGone, noteReturned } from '../../src/domain/cluster/rollbacks.js';
import type { QueuedRequest, Turn } from '../../src/domain/cluster/state.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import {
  approvalWait,
  decideTurns,
  isSoft,
  type RingFacts,
  ringFacts,
  type TurnAction,
} from '../../src/domain/cluster/turns.js';
import { gatesBefore } from '../../src/domain/health/gates.js';
import { healthOf } from '../../src/domain/health/policy.js';
import { beforeReport, decisionOfLoss, decisionOfTurn, decisionsOfReport } from '../../src/domain/ledger/decisions.js';
import { OUST_AFTER_MS } from '../../src/domain/ousting.js';
import { packCells } from '../../src/domain/snapshot.js';
import {
  absolutePolicy,
  DEFAULT_POLICY,
  type DeployableCell,
  type LeftOutCell,
  resolveCoordination,
  resolvePolicy,
  ringOf,
} from '../../src/domain/topology/index.js';
import { describeRuns } from '../shared/activities.js';
import type { BrakeDesk } from '../shared/brake-desk.js';
import * as signals from '../shared/signals.js';
import type { ClusterContext } from './context.js';
import { Ousts } from './ousts.js';

const DEFAULT_LOOK_MS = 60_000;

/** What only tests set, through the cluster's own argument. */
export interface TestLimits {
  /** Events after which the cluster, and every pass that it lets in, continues as new. */
  continueAsNewAfter?: number;
  /** How long a rollback waits for a pass to make room. */
  oustAfterMs?: number;
}

/** Who holds which ring: grants turns, lets passes in, and takes the turn of one that is gone back. */
export class Turns {
  private readonly oustAfterMs: number;
  private readonly ousts: Ousts;

  constructor(
    private readonly ctx: ClusterContext,
    private readonly brakes: BrakeDesk,
    /** A pass of this version was there before this cluster, and nobody had claimed it. */
    private readonly onMet: (version: string) => void,
    private readonly limits: TestLimits,
    /** What the queue says to a request of the cluster's own. */
    private readonly onOwn: (request: QueuedRequest, answer: RingAnswer) => void,
    /** A pass goes by a list of brakes, whoever's. */
    private readonly onHold: (hold: BrakesHold) => void,
  ) {
    this.oustAfterMs = limits.oustAfterMs ?? OUST_AFTER_MS;
    this.ousts = new Ousts(ctx, this.oustAfterMs, (ring, turn) => this.passGone(ring, turn));
  }

  request(message: RequestRing): void {
    if (takeRequest(this.ctx.state, message)) this.ctx.wake();
  }

  /** A pass that was under way when this cluster lost its memory keeps its ring. */
  claim(message: ClaimRing): void {
    claimTurn(this.ctx.state, message, Date.now());
    void this.tellBrakes(message.ring);
    this.ctx.wake();
  }

  /** What an earlier run of a rollout was granted: its passes go on under the new run, and the rest is free. */
  handOver(message: RegisterRollout): HeldRing[] {
    const { state } = this.ctx;
    const { passes, free } = handOver(state, message);
    for (const ring of free) this.brakes.forget(ring);
    this.ctx.wake();
    return passes.map(({ ring, turn: { request }, pass }) => {
      const { requestId, purpose } = request;
      return { ...this.factsOf(request, ring), requestId, purpose, pass };
    });
  }

  /** What an earlier run of a rollback asked for and did not come to enter is nobody's. */
  forgetEarlierRun(sender: string, run: string): void {
    for (const ring of forgetEarlierRun(this.ctx.state, { sender, run })) this.brakes.forget(ring);
  }

  private factsOf(request: QueuedRequest, ring: number): RingFacts {
    const topology = topologyOf(this.ctx.state);
    if (topology && ringOf(topology, ring)) return ringFacts(request, topology, ring);
    return { ring, name: `ring-${ring}`, soft: false, perimeter: ring <= (this.ctx.state.perimeter ?? -1) };
  }

  withdraw({ requestId }: WithdrawRequest): void {
    const { state } = this.ctx;
    state.queue = state.queue.filter((q) => q.requestId !== requestId);
    for (const [ring, turn] of Object.entries(state.turns)) {
      if (turn.request.requestId === requestId) this.free(Number(ring));
    }
    this.ctx.wake();
  }

  /** Nobody of this package wants a ring any more. */
  withdrawAll(version: string): void {
    this.ctx.state.queue = this.ctx.state.queue.filter((q) => q.version !== version || !isOfRollout(q));
    this.ctx.wake();
  }

  decide(): void {
    const { state } = this.ctx;
    const actions = decideTurns(state, topologyOf(state), Date.now(), this.oustAfterMs);
    for (const action of actions) void this.carryOut(action);
    this.ousts.watch();
  }

  private async carryOut(action: TurnAction): Promise<void> {
    this.ctx.enter(decisionOfTurn(action));
    if (action.do === 'drop') {
      this.ctx.fileRejection('requestRing', action.problem);
    } else if (action.do === 'answer' && isReconcile(action.request)) {
      this.onOwn(action.request, action.answer);
    } else if (action.do === 'answer') {
      await this.ctx.mail.send(action.request.sender, signals.ringAnswerSignal, action.answer);
    } else if (action.do === 'oust') {
      await this.ousts.carryOut(action);
    } else if (action.how === 'supersede') {
      await this.ctx.mail.send(action.turn.request.sender, signals.supersededSignal, { by: action.by });
    } else {
      const hurry = action.how === 'hurry';
      const outcome = action.how === 'yield' ? ('yielded' as const) : ('superseded' as const);
      const { requestId } = action.turn.request;
      const stop = { outcome, by: action.by, reason: `the ring is needed for ${action.by}`, hurry, requestId };
      await this.ctx.mail.send(ringRolloutId(action.ring), signals.stopPassSignal, stop);
    }
  }

  /** A pass begins: it gets what it works on, frozen, and the brakes that hold. */
  async enter({ ring, requestId, pass }: EnterRing): Promise<void> {
    const turn = this.ctx.state.turns[ring];
    const isItsTurn = turn?.request.requestId === requestId;
    let alerts: AlertBook = {};
    if (turn && isItsTurn) {
      alerts = handOverAlerts(this.ctx.state, this.ctx.state.alerts, ring);
      enterTurn(turn, pass);
      this.brakes.forget(ring);
      this.ctx.wake();
    }
    const entry = { ...this.entry(ring, isItsTurn), alerts, requestId };
    await this.ctx.mail.send(ringRolloutId(ring), signals.ringEntrySignal, entry);
  }

  private entry(ring: number, isItsTurn: boolean): RingEntry {
    const topology = topologyOf(this.ctx.state);
    const found = topology ? ringOf(topology, ring) : null;
    if (!topology || !found) return this.noEntry(ring, `there is no ring ${ring}`);
    const request = isItsTurn && this.ctx.state.turns[ring]?.request;
    if (!request) return this.noEntry(ring, 'the ring is granted to another pass');
    const { lane } = request;
    if (laneIsGone(request, ring, topology)) return this.noEntry(ring, `the topology has no lane ${lane}`);
    // It was asked to make room before it was there to hear it.
    const isTaken = request.purpose !== 'rollback' && (this.ctx.state.turns[ring]?.rollbackSinceMs ?? null) !== null;
    if (isTaken) return this.noEntry(ring, 'a rollback waits for the ring');
    const isOut = (cell: string) => this.ctx.state.quarantined[cell] !== undefined;
    const policy = resolvePolicy(topology, ring, lane, Date.now(), isOut);
    // A pass that only observes looks at the same cells as one that acts.
    const all = cellsInAutomation(this.ctx.state, found, Date.now(), 'act');
    const { cells, leftOut } = request.cells ? onlyThese(all.cells, request.cells) : all;
    return {
      ...this.noEntry(ring, null),
      ...this.brakesOfPackage(request),
      name: found.name ?? `ring-${ring}`,
      policy,
      soft: isSoft(policy),
      ...(approvalWait(request, ring, topology) ? { unapproved: true as const } : {}),
      perimeter: ring <= topology.perimeter,
      health: healthOf(topology, ring),
      gated: gatesBefore(topology, ring, Date.now()).length > 0,
      cellsGz: packCells(cells),
      came: cameTo(this.ctx.state, ring),
      leftOut: leftOut.map((l) => ({ cell: l.cell.id, state: l.state, reason: l.reason })),
      ...calendarEntry(this.ctx.state, request, ring, { topology, now: Date.now() }),
    };
  }

  /** A pass of the cluster's own hears of them from nobody else, and may have been started before they were on. */
  private brakesOfPackage(request: QueuedRequest): Pick<RingEntry, 'packageBrakes'> {
    const braked = isReconcile(request) ? this.ctx.state.rollouts[request.version]?.braked : undefined;
    return braked ? { packageBrakes: braked } : {};
  }

  private noEntry(ring: number, refused: string | null): RingEntry {
    const { state } = this.ctx;
    const { continueAsNewAfter } = this.limits;
    return {
      cluster: state.cluster ?? '',
      name: `ring-${ring}`,
      policy: absolutePolicy(DEFAULT_POLICY, 0),
      soft: false,
      perimeter: false,
      topologyRevision: state.revision,
      health: null,
      gated: false,
      cellsGz: packCells([]),
      leftOut: [],
      brakes: this.brakesFor(ring),
      brakesNumber: this.brakes.number,
      refused,
      ...(continueAsNewAfter === undefined ? {} : { continueAsNewAfter }),
    };
  }

  noteReport(report: RingReport): void {
    const { state } = this.ctx;
    const { ring } = report.view;
    this.noteWhoSpeaks({ ...report, ring });
    const turn = state.turns[ring];
    if (turn?.request.requestId !== report.requestId) return;
    const before = beforeReport(state, ring, turn);
    turn.pass = report.pass;
    turn.state = report.view.state;
    turn.waits = report.view.waitingFor?.kind ?? null;
    const cells = cellsOfPass(turn.request, report);
    noteNotBrought(state, ring, report);
    const end = cells ? this.noteReconciled(cells, report) : this.noteRing(report);
    for (const decision of decisionsOfReport(before, state, turn, report, Date.now())) this.ctx.enter(decision);
    if (report.ended) this.free(ring, end);
    this.ctx.wake();
  }

  private noteRing(report: RingReport): TurnEnd {
    const { state } = this.ctx;
    const { ring } = report.view;
    const record = state.rings[ring];
    noteSystemic(state, ring, report, Date.now());
    noteReturned(state, ring, report, Date.now());
    noteRepeats(state.repeats, report);
    noteChart(state, report.version, report.runsWith ?? null);
    noteForReconcile(state, ring, report);
    if (record && report.ended) noteCellTime(record, report.cellMs);
    if (leavesUnsure(report) && !state.toLook.includes(ring)) state.toLook.push(ring);
    return record ? noteRing(record, report, Date.now()) : 'looked';
  }

  /** Of the ring as a whole a pass over some of its cells says nothing, unless it found the package at fault. */
  private noteReconciled(cells: string[], report: RingReport): TurnEnd {
    const { state } = this.ctx;
    const { ring } = report.view;
    const record = state.rings[ring];
    if (report.systemic) noteSystemic(state, ring, report, Date.now());
    if (report.migrationFailed.length > 0) noteFailedPdm(state, ring, report);
    if (record) noteReconciled(record, cells, report, Date.now());
    if (record) record.alerts = report.alerts ?? {};
    // What the cells run now is looked at, and nothing is done about it before the next time.
    if (report.ended && !state.toLook.includes(ring)) state.toLook.push(ring);
    return 'looked';
  }

  private free(ring: number, end?: TurnEnd): void {
    endTurn(this.ctx.state, ring, end);
    this.brakes.forget(ring);
  }

  /** A pass of the cluster's own could not be started, or has ended without saying so. */
  freeOwn(ring: number, requestId: string): void {
    if (this.ctx.state.turns[ring]?.request.requestId !== requestId) return;
    this.free(ring);
    this.ctx.wake();
  }

  // ── brakes ─────────────────────────────────────────────────────────────────

  /** Answers whether there is a pass to hear. */
  async tellBrakes(ring: number): Promise<boolean> {
    const brakes = { from: 'cluster' as const, ...this.brakes.number, brakes: this.brakesFor(ring) };
    return await this.ctx.mail.sendAtOnce(ringRolloutId(ring), signals.setBrakesSignal, brakes);
  }

  tellAllBrakes(): void {
    const { turns, unmet } = this.ctx.state;
    for (const ring of new Set([...Object.keys(turns).map(Number), ...(unmet ?? [])])) void this.tellBrakes(ring);
  }

  /** Rings with a pass that may start something; null: nobody knows yet whether there are others. */
  withPass(): number[] | null {
    const { turns, unmet } = this.ctx.state;
    const entered = Object.entries(turns).filter(([, turn]) => turn.pass !== null);
    return unmet && [...new Set([...entered.map(([ring]) => Number(ring)), ...unmet])];
  }

  /** Rings with a pass that may start something that this brake, or block, stops; null: nobody knows yet. */
  coveredBy({ scope, blocks }: BrakeStatus): number[] | null {
    const { turns, perimeter } = this.ctx.state;
    const isCovered = (ring: number): boolean => {
      const request = turns[ring]?.request;
      // A rollback waits for cells of other packages that still are in flight: which ones only its pass can say.
      const isOther = blocks && request && request.purpose !== 'rollback' && !isBlockedBy(blocks, request.version);
      return !isOther && covers(scope, ring, perimeter ?? 0);
    };
    return this.withPass()?.filter(isCovered) ?? null;
  }

  /** Only the pass that holds the ring speaks for it. */
  noteHold(hold: BrakesHold): void {
    this.noteWhoSpeaks(hold);
    this.onHold(hold);
    if (this.ctx.state.turns[hold.ring]?.pass === hold.pass) this.brakes.noteHold(hold);
  }

  private brakesFor(ring: number): BrakeStatus[] {
    const { blocked, perimeter } = this.ctx.state;
    const brakes = this.brakes.holding.filter((b) => covers(b.scope, ring, perimeter ?? 0));
    return [...blocked.map(brakeOfBlock), ...brakes, ...this.beforeRecall()];
  }

  /**
   * A list from a cluster that began anew takes the place of the one before: as long as it does not know what stood then,
   * a pass that was braked stays so, whatever was released.
   */
  private beforeRecall(): BrakeStatus[] {
    if (hasRecalled(this.ctx.state)) return [];
    const since = workflowInfo().startTime.toISOString();
    const reason = 'began without state, and reads back what stood before';
    return [{ brakeId: COLD_START, scope: 'cluster', mode: 'finish-cells', by: COORDINATOR, reason, since }];
  }

  // ── a cluster that began without memory ────────────────────────────────────

  /** Passes that were under way before this cluster are told its brakes, and say in answer whose they are. */
  async meetPasses(onMeet: (ring: number) => void): Promise<void> {
    const { state } = this.ctx;
    await condition(() => state.topology !== null);
    if (state.unmet === null) {
      const rings = Object.keys(state.rings).map(Number);
      const open = await this.openOf(rings.map(ringRolloutId));
      state.unmet = rings.filter((ring) => open.has(ringRolloutId(ring)) && !state.turns[ring]?.pass);
    }
    this.ctx.wake();
    for (const ring of state.unmet) {
      void this.meet(ring);
      onMeet(ring);
    }
  }

  private noteWhoSpeaks(speaks: PassSpeaks): void {
    if (meetPass(this.ctx.state, speaks, Date.now())) this.onMet(speaks.version);
  }

  private async meet(ring: number): Promise<void> {
    if (!(await this.tellBrakes(ring))) forgetUnmet(this.ctx.state, ring);
  }

  // ── looking after what was granted ─────────────────────────────────────────

  /** Terminating a workflow by hand tells nobody: so, while rings are granted, ask now and then who is still there. */
  async lookAfter(): Promise<never> {
    const { state } = this.ctx;
    for (;;) {
      await condition(() => this.hasToLookAfter());
      const topology = topologyOf(state);
      await sleep(topology ? resolveCoordination(topology).lookEveryMs : DEFAULT_LOOK_MS);
      await this.lookOnce();
    }
  }

  private hasToLookAfter(): boolean {
    const { turns, queue, unmet, rollbacks } = this.ctx.state;
    const lists = [Object.keys(turns), queue, unmet ?? [], Object.keys(rollbacks)];
    return lists.some((list) => list.length > 0);
  }

  private async lookOnce(): Promise<void> {
    const { state } = this.ctx;
    const turns = watchedTurns(state);
    const asking = [...state.queue];
    const unmet = state.unmet ?? [];
    const senders = [...turns.map((t) => t.turn.request), ...asking].map((request) => request.sender);
    const passes = [...turns.map((t) => t.ring), ...unmet].map(ringRolloutId);
    const rollbacks = { ...state.rollbacks };
    const open = await this.openOf([
      ...new Set([...passes, ...senders, ...Object.keys(rollbacks).map(packageRollbackId)]),
    ]);
    for (const version of forgetGone(state, rollbacks, open)) this.rollbackGone(version);
    for (const ring of unmet) if (!open.has(ringRolloutId(ring))) forgetUnmet(state, ring);
    for (const watched of turns) {
      const gone = whoIsGone(state, watched, open);
      if (gone === 'pass') await this.passGone(watched.ring, watched.turn);
      if (gone === 'starter') this.brakeOrphan(watched.ring, watched.turn);
    }
    const gone = new Set(asking.filter((q) => !open.has(q.sender)).map((q) => q.requestId));
    state.queue = state.queue.filter((q) => !gone.has(q.requestId));
    this.ctx.wake();
  }

  private rollbackGone(version: string): void {
    log.warn('a rollback is gone without a word', { version });
    const reason = 'the rollback is gone without a word: cells may be on the package still';
    this.ctx.enter({ act: 'rollbackLost', version, reason }, 'failure');
  }

  private async openOf(workflowIds: string[]): Promise<Set<string>> {
    if (workflowIds.length === 0) return new Set();
    const runs = await describeRuns({ workflowIds });
    return new Set(runs.filter((r) => r.state === 'open').map((r) => r.workflowId));
  }

  private async passGone(ring: number, turn: Turn): Promise<void> {
    const { sender, requestId } = turn.request;
    log.warn('the pass that held a ring is gone; its turn is free', { ring, sender });
    this.ctx.enter(decisionOfLoss(ring, turn, Date.now()));
    this.free(ring);
    this.ctx.wake();
    // What the cluster itself had asked for, its next look asks for again.
    if (sender === CLUSTER_WORKFLOW_ID) return;
    await this.ctx.mail.send(sender, signals.passLostSignal, { ring, requestId });
  }

  private brakeOrphan(ring: number, turn: Turn): void {
    loseStarter(turn);
    const reason = `${turn.request.sender}, which started the pass over ring ${ring}, is gone`;
    const brakeId = `starter-gone-ring-${ring}`;
    this.brakes.engage({ by: COORDINATOR, reason, brakeId, scope: { ring }, mode: 'finish-cells' });
  }
}

/** A pass over some cells of a ring: what is left alone there is none of its business. */
const onlyThese = (cells: DeployableCell[], ids: string[]): { cells: DeployableCell[]; leftOut: LeftOutCell[] } => ({
  cells: cells.filter(({ id }) => ids.includes(id)),
  leftOut: [],
});
