import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { packageRollbackId, packageRolloutId } from '../src/contract/ids.js';
import type {
  AskCell,
  AskGraduation,
  AskRing,
  RegisterRollout,
  RolloutAborting,
  RolloutEnded,
} from '../src/contract/internal.js';
import * as messages from '../src/contract/messages.js';
import type { Problem } from '../src/contract/problem.js';
import type {
  ApplyTopologyResult,
  BrakeResult,
  ClusterStatus,
  Everywhere,
  Forecast,
  JudgedTopology,
} from '../src/contract/status.js';
import { together } from '../src/domain/alerts/book.js';
import { alertsOfBrakes } from '../src/domain/alerts/brakes.js';
import { alertsOfCluster } from '../src/domain/alerts/cluster.js';
import { isEverywhere } from '../src/domain/cluster/everywhere.js';
import { forecastOf, forecastsOf } from '../src/domain/cluster/forecast.js';
import {
  isFromEarlierRun,
  judgeGraduation,
  judgeRegistration,
  noteAborting,
  recordEnd,
  recordGraduation,
  ringsRunning,
} from '../src/domain/cluster/packages.js';
import { whoIsIn } from '../src/domain/cluster/reconcile.js';
import { COLD_START } from '../src/domain/cluster/restore.js';
import { type ClusterState, trim } from '../src/domain/cluster/state.js';
import { judgeTopology, putInForce, topologyOf } from '../src/domain/cluster/topology.js';
import { isSoft, notInside } from '../src/domain/cluster/turns.js';
import { viewOfCluster } from '../src/domain/cluster/view.js';
import { markdownOfCluster } from '../src/domain/details.js';
import { decisionOfEnd, decisionOfGraduation } from '../src/domain/ledger/decisions.js';
import { LONGEST_MS } from '../src/domain/shapes.js';
import {
  cellsInShort,
  findCell,
  resolveCoordination,
  resolvePolicy,
  type Topology,
} from '../src/domain/topology/index.js';
import { topologyWarnings } from '../src/domain/topology/warnings.js';
import { Blocks } from './cluster/blocks.js';
import { Calendars } from './cluster/calendars.js';
import { ClusterContext } from './cluster/context.js';
import { Drift } from './cluster/drift.js';
import { Looks } from './cluster/looks.js';
import { Quarantines } from './cluster/quarantines.js';
import { Recall } from './cluster/recall.js';
import { Reconciler } from './cluster/reconciler.js';
import { Rollbacks } from './cluster/rollbacks.js';
import { type TestLimits, Turns } from './cluster/turns.js';
import { listOpenRollouts } from './shared/activities.js';
import { AlertDesk } from './shared/alert-desk.js';
import { BrakeDesk, mustExpireLater } from './shared/brake-desk.js';
import { whenCancelled } from './shared/cancelled.js';
import { handle, handleOurs } from './shared/handle.js';
import * as signals from './shared/signals.js';
import { problemsOf, rejected, rejectedBecause, validated } from './shared/validation.js';

export interface CellClusterInput extends TestLimits {
  /** What an earlier run carried over; a run without it begins with a look at every cell. */
  state?: ClusterState;
}

const CONTINUE_AFTER_EVENTS = 2_000;
const NO_TOPOLOGY: Topology = { cluster: '', perimeter: 0, rings: [] };

/**
 * The one place that knows the whole cluster: topology, what every ring is to run, brakes, graduated packages, and who
 * holds which ring. It grants rings and never deploys. Lives for ever, by continue-as-new.
 */
export async function CellCluster(input: CellClusterInput = {}): Promise<void> {
  const run = new ClusterRun(input ?? {});
  whenCancelled(() => run.refuseCancel());
  await CancellationScope.nonCancellable(() => run.forEver());
}

class ClusterRun {
  private readonly ctx: ClusterContext;
  private readonly brakes: BrakeDesk;
  private readonly turns: Turns;
  private readonly looks: Looks;
  private readonly reconciler: Reconciler;
  private readonly blocks: Blocks;
  private readonly rollbacks: Rollbacks;
  private readonly calendars: Calendars;
  private readonly alerts: AlertDesk;
  private readonly quarantines: Quarantines;
  private readonly drift: Drift;

  constructor(private readonly input: CellClusterInput) {
    this.ctx = new ClusterContext(input.state);
    this.brakes = this.brakeDesk();
    const onMet = (version: string) => void this.registerAgain(version);
    this.reconciler = new Reconciler(
      this.ctx,
      () => this.looks,
      (ring, requestId) => this.turns.freeOwn(ring, requestId),
    );
    const onOwn: ConstructorParameters<typeof Turns>[4] = (request, answer) =>
      this.reconciler.answered(request, answer);
    const onHold: ConstructorParameters<typeof Turns>[5] = (hold) => this.reconciler.noteHold(hold);
    this.turns = new Turns(this.ctx, this.brakes, onMet, input, onOwn, onHold);
    const recall = new Recall(this.ctx);
    const onRecalled = () => this.tellRecalled();
    const onLooked: ConstructorParameters<typeof Looks>[4] = (ring, looking) => this.reconciler.looked(ring, looking);
    this.looks = new Looks(this.ctx, this.brakes, recall, onRecalled, onLooked);
    this.blocks = new Blocks(this.ctx, this.brakes);
    this.rollbacks = new Rollbacks(this.ctx, this.blocks, this.turns);
    this.calendars = new Calendars(this.ctx);
    const { alerts } = this.ctx.state;
    this.alerts = new AlertDesk(
      () => alerts.book,
      () => this.ctx.wake(),
    );
    this.quarantines = new Quarantines(this.ctx, this.brakes, (cell) => this.reconciler.welcome(cell));
    this.drift = new Drift(this.ctx);
    this.listen();
  }

  async forEver(): Promise<never> {
    if (!this.input.state) void this.greetOpenRollouts();
    void this.turns.meetPasses((ring) => this.quarantines.tellAll(ring));
    void this.looks.keepLooking();
    void this.looks.keepRecalling();
    void this.turns.lookAfter();
    for (;;) {
      this.ctx.woken = false;
      this.brakes.expire();
      this.quarantines.expire();
      this.drift.keep();
      this.reconciler.keep();
      this.turns.decide();
      this.calendars.keep();
      this.keepAlerts();
      trim(this.ctx.state);
      setCurrentDetails(markdownOfCluster(this.view()));
      if (this.mayContinueAsNew()) await this.continueAsNew();
      await condition(() => this.ctx.woken || this.mayContinueAsNew());
    }
  }

  /** The brake of a look at every cell that is under way is most often gone in a moment. */
  private keepAlerts(): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    if (!topology) return;
    const now = Date.now();
    const { cluster, perimeter } = topology;
    const brakes = this.brakes.holding.filter(({ brakeId }) => !state.cold || brakeId !== COLD_START);
    const ofBrakes = alertsOfBrakes(brakes, state.lately ?? [], { cluster, version: null, perimeter, now });
    this.alerts.keep(together(ofBrakes, alertsOfCluster(state, state.alerts, topology, now)));
  }

  refuseCancel(): void {
    log.warn('a cancel of the cell cluster was refused: it lives for ever');
    const expected = 'nothing: the cell cluster cannot be cancelled';
    this.ctx.fileRejection('cancel', { path: '', value: 'cancel', expected });
  }

  /** Rollouts that were open before this cluster lost its memory tell it what they are, have and wait for. */
  private async greetOpenRollouts(): Promise<void> {
    for (const workflowId of await listOpenRollouts())
      await this.ctx.mail.send(workflowId, signals.clusterStartedSignal);
  }

  // ── topology ───────────────────────────────────────────────────────────────

  private judgeTopology(payload: unknown): void {
    const judged = judgeTopology(this.ctx.state, validated(messages.applyTopology, payload));
    if (!judged.ok) throw rejected(judged.problems);
  }

  private applyTopology(payload: unknown): ApplyTopologyResult {
    const { state } = this.ctx;
    const message = validated(messages.applyTopology, payload);
    const judged = judgeTopology(state, message);
    if (!judged.ok) throw rejected(judged.problems);
    const before = topologyOf(state);
    const wereIn = before ? whoIsIn(state, before, Date.now()) : new Map<string, number>();
    const changed = putInForce(state, judged.topology, judged.notInForce, Date.now());
    this.quarantines.follow(before, judged.topology, message.by, before ? judged.changes.cellsJoined : []);
    const { cells, text } = before ? cellsInShort(judged.changes) : { cells: {}, text: '' };
    const outcome = `revision ${state.revision}${text && `: ${text}`}`;
    this.ctx.record('applyTopology', { ...message, ...cells }, outcome);
    if (before) this.reconciler.topologyChanged(before, wereIn, judged.topology);
    if (before) this.looks.lookAgainAt(changed);
    else this.looks.startCold(message.by, message.releaseColdStart === true);
    this.ctx.wake();
    const { changes, notInForce, topology } = judged;
    return { revision: state.revision, changes, notInForce, warnings: topologyWarnings(topology) };
  }

  private tellRecalled(): void {
    this.brakes.renew();
    this.quarantines.tellAll();
    // A rollout that began anew before this was known.
    for (const version of Object.keys(this.ctx.state.lostBrakes ?? {})) void this.registerAgain(version);
  }

  // ── brakes ─────────────────────────────────────────────────────────────────

  private brakeDesk(): BrakeDesk {
    const { state } = this.ctx;
    return new BrakeDesk({
      state,
      epoch: workflowInfo().firstExecutionRunId,
      coveredRings: (brake) => this.turns.coveredBy(brake),
      tellPasses: () => this.turns.tellAllBrakes(),
      record: (act, brake, outcome) => this.ctx.record(act, brake, outcome),
      wake: () => this.ctx.wake(),
    });
  }

  private engage(payload: unknown) {
    const { mode = 'finish-cells', scope = 'cluster', ...message } = validated(messages.engageClusterBrake, payload);
    return this.brakes.engage({ ...message, mode, scope });
  }

  private async engageBrake(payload: unknown): Promise<BrakeResult> {
    return await this.brakes.confirmed(this.engage(payload));
  }

  private judgeBrake(payload: unknown): void {
    const { expiresAt, scope, brakeId } = validated(messages.engageClusterBrake, payload);
    mustExpireLater(expiresAt);
    this.brakes.mustHaveRoom(brakeId);
    const { topology, rings } = this.ctx.state;
    if (typeof scope !== 'object' || !topology || rings[scope.ring]) return;
    throw rejectedBecause('scope.ring', scope.ring, `a ring: ${Object.keys(rings).join(', ')}`);
  }

  private judgeRelease(payload: unknown): void {
    this.brakes.toRelease(validated(messages.releaseBrake, payload).brakeId);
  }

  private releaseBrake(payload: unknown): ClusterStatus {
    const message = validated(messages.releaseBrake, payload);
    const { brakeId } = this.brakes.toRelease(message.brakeId);
    this.brakes.release(brakeId);
    const released = { ...message, brakeId };
    this.ctx.record('releaseBrake', released, `brake ${brakeId} is off`);
    return this.view();
  }

  // ── packages ───────────────────────────────────────────────────────────────

  private async register(message: RegisterRollout): Promise<void> {
    const { state } = this.ctx;
    if (isFromEarlierRun(state, message)) return;
    const topology = topologyOf(state) ?? NO_TOPOLOGY;
    const graduationTimeoutMs = Math.min(resolveCoordination(topology).graduationTimeoutMs, LONGEST_MS);
    const softRings = topology.rings.flatMap(({ ring }) => {
      return isSoft(resolvePolicy(topology, ring, null)) ? [ring] : [];
    });
    const alsoOn = ringsRunning(state, message.version);
    const { perimeter, cluster } = state;
    const facts = { graduationTimeoutMs, softRings, alsoOn, perimeter, cluster };
    const isKnown = state.rollouts[message.version]?.run === message.run;
    const judged = judgeRegistration(state, message);
    const isOpened = !isKnown && state.rollouts[message.version]?.run === message.run;
    if (isOpened) this.ctx.enter({ act: 'opened', version: message.version, facts: { run: message.run } });
    const holds = judged.conflict ? [] : this.turns.handOver(message);
    const registered = { ...judged, ...facts, holds };
    await this.ctx.mail.send(packageRolloutId(message.version), signals.registeredSignal, registered);
  }

  /** A pass of a rollout that has registered already was found: whether it is an earlier run's is said again. */
  private async registerAgain(version: string): Promise<void> {
    const rollout = this.ctx.state.rollouts[version];
    if (rollout) await this.register({ version, reopen: false, ...rollout });
  }

  private async graduation(message: AskGraduation): Promise<void> {
    const { state } = this.ctx;
    const rejection = judgeGraduation(state, topologyOf(state), message);
    const older = rejection ? [] : recordGraduation(state, message);
    const { requestId, version } = message;
    this.ctx.enter(decisionOfGraduation(message, rejection));
    const answer = { requestId, accepted: rejection === null, rejection };
    await this.ctx.mail.send(packageRolloutId(version), signals.graduationAnswerSignal, answer);
    for (const v of older) await this.ctx.mail.send(packageRolloutId(v), signals.supersededSignal, { by: version });
  }

  private async answerCell({ version, cell, rollback }: AskCell): Promise<void> {
    const topology = topologyOf(this.ctx.state);
    const isKnown = topology === null || findCell(topology, cell) !== null;
    const asking = rollback ? packageRollbackId(version) : packageRolloutId(version);
    await this.ctx.mail.send(asking, signals.cellAnswerSignal, { cell, isKnown });
  }

  private async answerRing({ version, ring }: AskRing): Promise<void> {
    const topology = topologyOf(this.ctx.state);
    const problem = topology && notInside(topology, ring);
    await this.ctx.mail.send(packageRolloutId(version), signals.ringKnownSignal, { ring, problem });
  }

  private rolloutAborting(message: RolloutAborting): void {
    noteAborting(this.ctx.state, message);
    this.ctx.wake();
  }

  private rolloutEnded(message: RolloutEnded): void {
    recordEnd(this.ctx.state, message, Date.now());
    this.ctx.enter(decisionOfEnd(message, this.ctx.state));
    this.turns.withdrawAll(message.version);
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    this.listenToOurs();
    handle(signals.applyTopologyUpdate, (m) => this.applyTopology(m), {
      description: 'Puts a topology in force: {topology or gzip, by, expectRevision?, allowRemoval?}.',
      validator: (m) => this.judgeTopology(m),
    });
    const on = 'Stops rings: {by, reason, brakeId?, scope?, mode?, expiresAt?}.';
    const judgeOn = (m: unknown) => this.judgeBrake(m);
    handle(signals.engageBrakeUpdate, (m) => this.engageBrake(m), { description: on, validator: judgeOn });
    this.onSignal(signals.engageBrakeSignal, on, judgeOn, (m) => this.engage(m));
    const off = 'Takes a brake off: {by, brakeId?, reason?}.';
    const judgeOff = (m: unknown) => this.judgeRelease(m);
    handle(signals.releaseClusterBrakeUpdate, (m) => this.releaseBrake(m), {
      description: off,
      validator: judgeOff,
    });
    this.onSignal(signals.releaseBrakeSignal, off, judgeOff, (m) => this.releaseBrake(m));
    this.listenToBlocks();
    this.listenToActs();
    setHandler(signals.isEverywhereQuery, (m) => this.isEverywhere(m), {
      description: 'Is this package, or a newer one, on every cell: {version, rings?, ignoreQuarantined?}.',
    });
    setHandler(signals.forecastQuery, (m) => this.forecast(m), {
      description: 'When each outer ring should converge on this package: {version, lane?, planned?}.',
    });
    setHandler(signals.judgeTopologyQuery, (m) => this.wouldApply(m), {
      description: 'Why this topology would be refused: {topology or gzip, by, expectRevision?, allowRemoval?}.',
    });
    setHandler(signals.clusterStatusQuery, () => this.view(), { description: 'What runs where, and what waits.' });
    setHandler(
      signals.clusterTopologyQuery,
      () => ({ revision: this.ctx.state.revision, gzip: this.ctx.state.topology }),
      { description: 'The topology in force, gzipped.' },
    );
    setDefaultSignalHandler((name, ...args) => {
      const expected = 'a signal of the contract, such as engageBrake, quarantineCell, blockVersion';
      this.ctx.fileRejection(name, { path: '', value: JSON.stringify(args)?.slice(0, 200) ?? '', expected });
    });
  }

  private listenToBlocks(): void {
    const { blocks } = this;
    const on = 'These packages enter no further cell: {version, by, reason, fixedIn?, url?}.';
    const judgeOn = (m: unknown) => blocks.judgeBlock(m);
    const block = async (m: unknown) => ({ ...this.view(), inFlight: await blocks.blockSurely(m) });
    handle(signals.blockVersionUpdate, async (m) => block(m), { description: on, validator: judgeOn });
    this.onSignal(signals.blockVersionSignal, on, judgeOn, (m) => blocks.block(m));
    this.on(signals.unblockVersionUpdate, signals.unblockVersionSignal, {
      text: 'Lifts the block that begins with this package: {version, by, reason, url?}.',
      judge: (m) => blocks.judgeUnblock(m),
      act: (m) => blocks.unblock(m),
    });
  }

  private listenToActs(): void {
    const { quarantines, drift, reconciler } = this;
    this.on(signals.reconcileUpdate, signals.reconcileSignal, {
      text: 'Looks at what really runs, and converges what differs: {by, ring?, cells?}.',
      judge: (m) => reconciler.judge(m),
      act: (m) => reconciler.reconcile(m),
    });
    const out = 'Takes a cell out of all automation: {cell, by, reason, expiresAt?}.';
    const judgeOut = (m: unknown) => quarantines.judge(m);
    const surely = (m: unknown) => quarantines.quarantineSurely(m).then(() => this.view());
    handle(signals.quarantineCellUpdate, surely, { description: out, validator: judgeOut });
    this.onSignal(signals.quarantineCellSignal, out, judgeOut, (m) => quarantines.quarantine(m));
    this.on(signals.readmitCellUpdate, signals.readmitCellSignal, {
      text: 'Lets a quarantined cell back to all automation: {cell, by, reason}.',
      judge: (m) => quarantines.judgeBack(m),
      act: (m) => quarantines.readmit(m),
    });
    this.on(signals.resumeAutoDeployUpdate, signals.resumeAutoDeploySignal, {
      text: 'Lets auto-deploy run although the drift is beyond its limit: {by, reason, expiresAt?}.',
      judge: (m) => drift.judgeResume(m),
      act: (m) => drift.resume(m),
    });
  }

  /** An act that is told as a signal or as an update, and answers the status after it. */
  private on(
    update: (typeof signals)['quarantineCellUpdate'],
    signal: (typeof signals)['quarantineCellSignal'],
    { text, judge, act }: { text: string; judge: (m: unknown) => void; act: (m: unknown) => void },
  ): void {
    const perform = (payload: unknown): ClusterStatus => {
      act(payload);
      return this.view();
    };
    handle(update, perform, { description: text, validator: judge });
    this.onSignal(signal, text, judge, act);
  }

  private listenToOurs(): void {
    const { turns } = this;
    const file = (message: string, problem: Problem) => this.ctx.fileRejection(message, problem);
    handleOurs(signals.registerRolloutSignal, (m) => this.register(m), file);
    handleOurs(signals.askGraduationSignal, (m) => this.graduation(m), file);
    handleOurs(signals.requestRingSignal, (m) => turns.request(m), file);
    handleOurs(signals.claimRingSignal, (m) => turns.claim(m), file);
    handleOurs(signals.withdrawRequestSignal, (m) => turns.withdraw(m), file);
    handleOurs(signals.packageBrakesSignal, (m) => this.reconciler.packageBrakes(m), file);
    handleOurs(signals.askCellSignal, (m) => this.answerCell(m), file);
    handleOurs(signals.askRingSignal, (m) => this.answerRing(m), file);
    handleOurs(signals.askRollbackSignal, (m) => this.rollbacks.asked(m), file);
    handleOurs(signals.rollbackEndedSignal, (m) => this.rollbacks.ended(m), file);
    handleOurs(signals.rolloutAbortingSignal, (m) => this.rolloutAborting(m), file);
    handleOurs(signals.rolloutEndedSignal, (m) => this.rolloutEnded(m), file);
    handleOurs(signals.enterRingSignal, (m) => turns.enter(m), file);
    handleOurs(signals.ringReportSignal, (m) => turns.noteReport(m), file);
    handleOurs(signals.brakesHoldSignal, (m) => turns.noteHold(m), file);
  }

  /** A signal that makes no sense changes nothing, and is filed. */
  private onSignal(
    signal: (typeof signals)['engageBrakeSignal'],
    description: string,
    judge: (m: unknown) => void,
    act: (m: unknown) => unknown,
  ): void {
    const take = (payload: unknown): void => {
      try {
        judge(payload);
        act(payload);
      } catch (error) {
        const by = (payload as { by?: unknown } | undefined)?.by;
        const who = typeof by === 'string' ? by : undefined;
        for (const problem of problemsOf(error)) this.ctx.fileRejection(signal.name, problem, who);
      }
    };
    handle(signal, take, { description });
  }

  private isEverywhere(payload: unknown): Everywhere {
    const { state } = this.ctx;
    const ask = validated(messages.isEverywhere, payload);
    return isEverywhere(state, topologyOf(state) ?? NO_TOPOLOGY, ask, Date.now());
  }

  private forecast(payload: unknown): Forecast {
    const { state } = this.ctx;
    const { version, lane = null, planned = false } = validated(messages.forecast, payload);
    const topology = topologyOf(state) ?? NO_TOPOLOGY;
    const rings = planned
      ? forecastOf(state, topology, version, lane, Date.now())
      : forecastsOf(state, topology, version, Date.now());
    return { version, rings };
  }

  private wouldApply(payload: unknown): JudgedTopology {
    const judged = judgeTopology(this.ctx.state, validated(messages.applyTopology, payload));
    return { problems: judged.ok ? [] : judged.problems };
  }

  private view(): ClusterStatus {
    return viewOfCluster(this.ctx.state, Date.now());
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  private mayContinueAsNew(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    const isLong = continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
    const isQuiet = this.ctx.mail.onItsWay === 0 && this.reconciler.starting === 0;
    return isLong && isQuiet && allHandlersFinished();
  }

  /** Called with every handler finished and without having waited since: nothing that arrived is left behind. */
  private async continueAsNew(): Promise<never> {
    return await continueAsNew<typeof CellCluster>({ ...this.input, state: this.ctx.state });
  }
}
