import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { CellLook, CellRef } from '../src/contract/activities.js';
import { FAILURE } from '../src/contract/failures.js';
import { packageRolloutId, ringRolloutId } from '../src/contract/ids.js';
import type {
  AskGraduation,
  BrakesHold,
  ClaimRing,
  EnterRing,
  RegisterRollout,
  RequestRing,
  RingEntry,
  RingReport,
  RolloutEnded,
  WithdrawRequest,
} from '../src/contract/internal.js';
import * as messages from '../src/contract/messages.js';
import type { Problem } from '../src/contract/problem.js';
import type { ApplyTopologyResult, BrakeResult, BrakeStatus, ClusterStatus } from '../src/contract/status.js';
import { covers } from '../src/domain/brake.js';
import { judgeGraduation, judgeRegistration, recordEnd, recordGraduation } from '../src/domain/cluster/packages.js';
import { type ClusterState, newClusterState, type Turn, trim } from '../src/domain/cluster/state.js';
import { judgeTopology, putInForce, topologyOf } from '../src/domain/cluster/topology.js';
import { decideTurns, type TurnAction } from '../src/domain/cluster/turns.js';
import { viewOfCluster } from '../src/domain/cluster/view.js';
import { markdownOfCluster } from '../src/domain/details.js';
import { isPackage, newest } from '../src/domain/package-version.js';
import { packCells } from '../src/domain/snapshot.js';
import { deployableCells, resolveCoordination, resolvePolicy, ringOf } from '../src/domain/topology/index.js';
import { describeRuns, listOpenRollouts, lookAtCells } from './shared/activities.js';
import { BrakeDesk, mustExpireLater } from './shared/brake-desk.js';
import { signalTo } from './shared/signal-to.js';
import * as signals from './shared/signals.js';
import { problemsOf, rejected, rejectedBecause, validated } from './shared/validation.js';

export interface CellClusterInput {
  /** What an earlier run carried over; a run without it begins with a look at every cell. */
  state?: ClusterState;
  /** Events after which the run continues as new; tests set a low number. */
  continueAsNewAfter?: number;
}

const CONTINUE_AFTER_EVENTS = 4_000;
const COLD_START = 'cold-start';
const LOOK_BATCH = 100;
const COORDINATOR = 'coordinator';

/**
 * The one place that knows the whole cluster: topology, what every ring is to run, brakes, graduated packages, and who
 * holds which ring. It grants rings and never deploys. Lives for ever, by continue-as-new.
 */
export async function CellCluster(input: CellClusterInput = {}): Promise<void> {
  const run = new ClusterRun(input ?? {});
  CancellationScope.current().cancelRequested.catch(() => run.refuseCancel());
  await CancellationScope.nonCancellable(() => run.forEver());
}

class ClusterRun {
  private readonly state: ClusterState;
  private readonly brakes: BrakeDesk;
  private woken = false;
  /** Detached work that a continue-as-new would lose. */
  private pending = 0;

  constructor(private readonly input: CellClusterInput) {
    this.state = input.state ?? newClusterState();
    this.brakes = this.brakeDesk();
    this.listen();
  }

  async forEver(): Promise<never> {
    if (!this.input.state) void this.detached(() => this.greetOpenRollouts());
    void this.lookAfterTurns();
    for (;;) {
      this.brakes.expire();
      this.decide();
      trim(this.state);
      setCurrentDetails(markdownOfCluster(this.view()));
      if (this.shouldContinueAsNew()) await this.continueAsNew();
      await condition(() => this.woken);
      this.woken = false;
    }
  }

  refuseCancel(): void {
    log.warn('a cancel of the cell cluster was refused: it lives for ever');
    this.reject('cancel', { path: '', value: 'cancel', expected: 'nothing: the cell cluster cannot be cancelled' });
  }

  // ── topology ───────────────────────────────────────────────────────────────

  private judgeTopology(payload: unknown): void {
    const judged = judgeTopology(this.state, validated(messages.applyTopology, payload));
    if (!judged.ok) throw rejected(judged.problems);
  }

  private applyTopology(payload: unknown): ApplyTopologyResult {
    const message = validated(messages.applyTopology, payload);
    const judged = judgeTopology(this.state, message);
    if (!judged.ok) throw rejected(judged.problems);
    const first = this.state.topology === null;
    const changed = putInForce(this.state, judged.topology, judged.notInForce, Date.now());
    this.record('applyTopology', message, `revision ${this.state.revision}`);
    if (first) this.startCold(message.by, message.releaseColdStart === true);
    else void this.detached(() => this.lookAtRings(changed));
    this.wake();
    return { revision: this.state.revision, changes: judged.changes, notInForce: judged.notInForce };
  }

  /**
   * A cluster that begins without state looks first. The brake is on from the start, and comes off by itself only
   * where nothing runs anywhere, or where the person who applied the topology released it by name.
   */
  private startCold(by: string, released: boolean): void {
    this.state.looking = true;
    if (!released) this.engage({ by: COORDINATOR, reason: 'looking at every cell first', brakeId: COLD_START });
    void this.detached(async () => {
      await this.lookAtRings(Object.keys(this.state.rings).map(Number));
      this.state.looking = false;
      if (!released) this.endColdLook();
      else this.record('releaseBrake', { by, reason: 'released when the topology was applied' }, this.found());
    });
  }

  private endColdLook(): void {
    const empty = Object.values(this.state.rings).every((r) => Object.keys(r.observed).every((v) => v === 'unknown'));
    if (empty) this.brakes.release(COLD_START);
    else if (this.state.brakes.some((b) => b.brakeId === COLD_START)) {
      this.engage({ by: COORDINATOR, reason: `began without state; ${this.found()}`, brakeId: COLD_START });
    }
  }

  private found(): string {
    const rings = Object.entries(this.state.rings).map(([ring, { observed }]) => {
      const seen = Object.entries(observed).map(([version, cells]) => `${cells} on ${version}`);
      return `ring ${ring}: ${seen.join(', ') || 'no cells'}`;
    });
    return `found ${rings.join('; ')}`;
  }

  private async lookAtRings(rings: number[]): Promise<void> {
    for (const ring of rings) {
      const record = this.state.rings[ring];
      if (!record || this.state.turns[ring]) continue;
      const looks = await this.lookAtRing(ring);
      const observed: Record<string, number> = {};
      for (const look of looks) {
        const version = look.facts.version ?? 'unknown';
        observed[version] = (observed[version] ?? 0) + 1;
      }
      if (!this.state.turns[ring]) record.observed = observed;
    }
  }

  private async lookAtRing(ring: number): Promise<CellLook[]> {
    const cells = this.cellsOf(ring);
    const looks: CellLook[] = [];
    const base = { cluster: this.state.cluster ?? '', ring, version: '', chartVersion: null, askReadiness: false };
    for (let at = 0; at < cells.length; at += LOOK_BATCH) {
      looks.push(...(await this.untilItWorks(() => lookAtCells({ ...base, cells: cells.slice(at, at + LOOK_BATCH) }))));
    }
    return looks;
  }

  private async untilItWorks<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        log.warn('the look at the cells failed, and is tried again', { error: String(error) });
        await sleep('10s');
      }
    }
  }

  private cellsOf(ring: number): CellRef[] {
    const topology = topologyOf(this.state);
    const found = topology ? ringOf(topology, ring) : null;
    if (!found) return [];
    const { cells, leftOut } = deployableCells(found, Date.now());
    const all = [...cells, ...leftOut.map((l) => l.cell)];
    return all.flatMap(({ id, tenant, url }) => (tenant && url ? [{ id, tenant, url }] : []));
  }

  // ── brakes ─────────────────────────────────────────────────────────────────

  private brakeDesk(): BrakeDesk {
    return new BrakeDesk({
      state: this.state,
      coveredRings: ({ scope }) => {
        const entered = Object.entries(this.state.turns).filter(([, turn]) => turn.pass !== null);
        return entered.map(([ring]) => Number(ring)).filter((ring) => covers(scope, ring, this.state.perimeter ?? 0));
      },
      tellPasses: () => {
        for (const ring of Object.keys(this.state.turns).map(Number)) void this.tellBrakes(ring);
      },
      record: (act, by, reason, outcome) => this.record(act, { by, reason }, outcome),
      wake: () => this.wake(),
    });
  }

  private async tellBrakes(ring: number): Promise<void> {
    const seq = this.state.brakesSeq;
    await signalTo(ringRolloutId(ring), signals.setBrakesSignal, {
      from: 'cluster',
      seq,
      brakes: this.brakesFor(ring),
    });
  }

  private brakesFor(ring: number): BrakeStatus[] {
    return this.brakes.holding.filter((b) => covers(b.scope, ring, this.state.perimeter ?? 0));
  }

  private engage(payload: messages.EngageClusterBrake): BrakeStatus {
    const { mode = 'finish-cells', scope = 'cluster', ...message } = payload;
    return this.brakes.engage({ ...message, mode, scope });
  }

  private async engageBrake(payload: unknown): Promise<BrakeResult> {
    return await this.brakes.confirmed(this.engage(validated(messages.engageClusterBrake, payload)));
  }

  private judgeBrake(payload: unknown): void {
    const { expiresAt, scope } = validated(messages.engageClusterBrake, payload);
    mustExpireLater(expiresAt);
    if (typeof scope !== 'object' || !this.state.topology || this.state.rings[scope.ring]) return;
    throw rejectedBecause('scope.ring', scope.ring, `a ring: ${Object.keys(this.state.rings).join(', ')}`);
  }

  private judgeRelease(payload: unknown): void {
    this.brakes.toRelease(validated(messages.releaseBrake, payload).brakeId);
  }

  private releaseBrake(payload: unknown): ClusterStatus {
    const message = validated(messages.releaseBrake, payload);
    const { brakeId } = this.brakes.toRelease(message.brakeId);
    this.brakes.release(brakeId);
    this.record('releaseBrake', message, `brake ${brakeId} is off`);
    return this.view();
  }

  /** Only the pass that holds the ring speaks for it. */
  private noteHold(hold: BrakesHold): void {
    if (this.state.turns[hold.ring]?.pass === hold.pass) this.brakes.noteHold(hold);
  }

  // ── packages ───────────────────────────────────────────────────────────────

  private async register(message: RegisterRollout): Promise<void> {
    if (message.reopen) delete this.state.ended[message.version];
    const topology = topologyOf(this.state);
    const { graduationTimeoutMs } = resolveCoordination(topology ?? { cluster: '', perimeter: 0, rings: [] });
    const registered = { ...judgeRegistration(this.state, message), graduationTimeoutMs };
    await signalTo(packageRolloutId(message.version), signals.registeredSignal, registered);
  }

  private async graduation(message: AskGraduation): Promise<void> {
    const rejection = judgeGraduation(this.state, topologyOf(this.state), message);
    const older = rejection ? [] : recordGraduation(this.state, message);
    const { requestId, version } = message;
    await signalTo(packageRolloutId(version), signals.graduationAnswerSignal, {
      requestId,
      accepted: rejection === null,
      rejection,
    });
    for (const v of older) await signalTo(packageRolloutId(v), signals.supersededSignal, { by: version });
    this.wake();
  }

  private rolloutEnded(message: RolloutEnded): void {
    recordEnd(this.state, message, Date.now());
    this.state.queue = this.state.queue.filter((q) => q.version !== message.version);
    this.wake();
  }

  // ── turns ──────────────────────────────────────────────────────────────────

  private request(message: RequestRing): void {
    const turn = Object.values(this.state.turns).find((t) => t.request.requestId === message.requestId);
    if (turn) return;
    const before = this.state.queue.find((q) => q.requestId === message.requestId);
    const sender = packageRolloutId(message.version);
    const entry = { ...message, sender, at: before?.at ?? null, told: '', held: null };
    if (before) this.state.queue = this.state.queue.map((q) => (q === before ? entry : q));
    else this.state.queue.push(entry);
    this.wake();
  }

  /** A pass that was under way when this cluster lost its memory keeps its ring. */
  private claim(message: ClaimRing): void {
    const { ring, version } = message;
    if (this.state.turns[ring]) return;
    const request = { ...message, sender: packageRolloutId(version), at: ring, told: '', held: null };
    const turn = { request, grantedAtMs: Date.now(), pass: null, state: 'rolling' as const, before: null };
    this.state.turns[ring] = { ...turn, asked: false, starterGone: false };
    void this.tellBrakes(ring);
    this.wake();
  }

  private withdraw({ requestId }: WithdrawRequest): void {
    this.state.queue = this.state.queue.filter((q) => q.requestId !== requestId);
    for (const [ring, turn] of Object.entries(this.state.turns)) {
      if (turn.request.requestId === requestId) this.freeTurn(Number(ring));
    }
    this.wake();
  }

  private decide(): void {
    for (const action of decideTurns(this.state, topologyOf(this.state), Date.now())) void this.carryOut(action);
  }

  private async carryOut(action: TurnAction): Promise<void> {
    if (action.do === 'answer') {
      await signalTo(action.request.sender, signals.ringAnswerSignal, action.answer);
    } else if (action.how === 'supersede') {
      await signalTo(action.turn.request.sender, signals.supersededSignal, { by: action.by });
    } else {
      const outcome = action.how === 'yield' ? 'yielded' : 'superseded';
      const reason = action.how === 'yield' ? `a rollback of ${action.by} takes the ring` : 'a newer package is next';
      const stop = { outcome, by: action.by, reason, hurry: action.how === 'stop' } as const;
      await signalTo(ringRolloutId(action.ring), signals.stopPassSignal, stop);
    }
  }

  /** A pass begins: it gets what it works on, frozen, and the brakes that hold. */
  private async enterRing({ ring, requestId, pass }: EnterRing): Promise<void> {
    const turn = this.state.turns[ring];
    const topology = topologyOf(this.state);
    const found = topology ? ringOf(topology, ring) : null;
    if (!turn || !topology || !found || turn.request.requestId !== requestId) {
      await signalTo(ringRolloutId(ring), signals.ringEntrySignal, this.entry(ring, 'its turn is not this one'));
      return;
    }
    turn.pass = pass;
    this.brakes.forget(ring);
    await signalTo(ringRolloutId(ring), signals.ringEntrySignal, this.entry(ring, null));
  }

  private entry(ring: number, refused: string | null): RingEntry {
    const topology = topologyOf(this.state);
    const found = topology ? ringOf(topology, ring) : null;
    if (!topology || !found) throw ApplicationFailure.nonRetryable(`no ring ${ring}`, FAILURE.badArgument);
    const policy = resolvePolicy(topology, ring, this.state.turns[ring]?.request.lane ?? null, Date.now());
    const { cells, leftOut } = deployableCells(found, Date.now(), policy.mode);
    return {
      cluster: topology.cluster,
      name: found.name ?? `ring-${ring}`,
      policy,
      soft: policy.onFailure === 'soft',
      perimeter: ring <= topology.perimeter,
      topologyRevision: this.state.revision,
      cellsGz: refused === null ? packCells(cells) : packCells([]),
      leftOut: leftOut.map((l) => ({ cell: l.cell.id, state: l.state, reason: l.reason })),
      brakes: this.brakesFor(ring),
      brakesSeq: this.state.brakesSeq,
      refused,
      ...(this.input.continueAsNewAfter === undefined ? {} : { continueAsNewAfter: this.input.continueAsNewAfter }),
    };
  }

  private noteReport(report: RingReport): void {
    const { ring } = report.view;
    const record = this.state.rings[ring];
    const turn = this.state.turns[ring];
    if (!record || turn?.request.requestId !== report.requestId) return;
    turn.pass = report.pass;
    turn.state = report.view.state;
    record.state = report.view.state;
    record.observed = report.observed;
    record.exceptions = report.view.exceptions;
    record.exceptionsTotal = report.view.exceptionsTotal;
    if (report.view.convergedAt && report.purpose === 'deploy') {
      record.converged = report.version;
      record.convergedAt = report.view.convergedAt;
    }
    if (report.ended) this.freeTurn(ring);
    this.wake();
  }

  /** The ring is free again; where the package is on no cell of it, the ring is no longer to run it. */
  private freeTurn(ring: number): void {
    const turn = this.state.turns[ring];
    const record = this.state.rings[ring];
    delete this.state.turns[ring];
    this.brakes.forget(ring);
    if (!turn || !record) return;
    if (record.state !== 'halted' && record.state !== 'converged') record.state = 'idle';
    const { version, purpose } = turn.request;
    if (purpose === 'rollback' || (record.desired === version && !record.observed[version])) {
      if (record.desired === version && !record.observed[version])
        record.desired = newestOf(record.observed) ?? turn.before;
    }
  }

  // ── looking after what was granted ─────────────────────────────────────────

  /** Terminating a workflow by hand tells nobody: so, while rings are granted, ask now and then who is still there. */
  private async lookAfterTurns(): Promise<void> {
    for (;;) {
      await condition(() => Object.keys(this.state.turns).length > 0 || this.state.queue.length > 0);
      const topology = topologyOf(this.state);
      await sleep(topology ? resolveCoordination(topology).lookEveryMs : 60_000);
      await this.detached(() => this.lookOnce());
    }
  }

  private async lookOnce(): Promise<void> {
    const turns = Object.entries(this.state.turns).map(([ring, turn]) => ({ ring: Number(ring), turn }));
    const senders = [...turns.map((t) => t.turn.request.sender), ...this.state.queue.map((q) => q.sender)];
    const workflowIds = [...new Set([...turns.map((t) => ringRolloutId(t.ring)), ...senders])];
    if (workflowIds.length === 0) return;
    const runs = await describeRuns({ workflowIds });
    const open = new Set(runs.filter((r) => r.state === 'open').map((r) => r.workflowId));
    for (const { ring, turn } of turns) {
      if (this.state.turns[ring] === turn) await this.lookAfter(ring, turn, open);
    }
    this.state.queue = this.state.queue.filter((q) => open.has(q.sender));
    this.wake();
  }

  private async lookAfter(ring: number, turn: Turn, open: Set<string>): Promise<void> {
    const { sender, requestId } = turn.request;
    const starterOpen = open.has(sender);
    if (open.has(ringRolloutId(ring))) {
      if (starterOpen || turn.starterGone) return;
      turn.starterGone = true;
      const reason = `${sender}, which started the pass on ring ${ring}, is gone`;
      this.engage({ by: COORDINATOR, reason, brakeId: `starter-gone-ring-${ring}`, scope: { ring } });
      return;
    }
    // A pass that was never entered may be about to start, while its starter is there.
    if (turn.pass === null && starterOpen) return;
    log.warn('the pass that held a ring is gone; its turn is free', { ring, sender });
    this.freeTurn(ring);
    await signalTo(sender, signals.passLostSignal, { ring, requestId });
  }

  private async greetOpenRollouts(): Promise<void> {
    for (const workflowId of await listOpenRollouts()) await signalTo(workflowId, signals.clusterStartedSignal);
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    const internal = { description: 'Between the coordinator’s own workflows.' };
    setHandler(signals.registerRolloutSignal, (m) => this.register(m), internal);
    setHandler(signals.askGraduationSignal, (m) => this.graduation(m), internal);
    setHandler(signals.requestRingSignal, (m) => this.request(m), internal);
    setHandler(signals.claimRingSignal, (m) => this.claim(m), internal);
    setHandler(signals.withdrawRequestSignal, (m) => this.withdraw(m), internal);
    setHandler(signals.rolloutEndedSignal, (m) => this.rolloutEnded(m), internal);
    setHandler(signals.enterRingSignal, (m) => this.enterRing(m), internal);
    setHandler(signals.ringReportSignal, (m) => this.noteReport(m), internal);
    setHandler(signals.brakesHoldSignal, (m) => this.noteHold(m), internal);
    setHandler(signals.applyTopologyUpdate, (m) => this.applyTopology(m), {
      description: 'Puts a topology in force: {topology or gzip, by, expectRevision?, allowRemoval?}.',
      validator: (m) => this.judgeTopology(m),
    });
    const brakeOn = 'Stops rings: {by, reason, brakeId?, scope?, mode?, expiresAt?}.';
    setHandler(signals.engageBrakeUpdate, (m) => this.engageBrake(m), {
      description: brakeOn,
      validator: (m) => this.judgeBrake(m),
    });
    setHandler(signals.engageBrakeSignal, (m) => this.onSignal('engageBrake', m, () => this.engageFromSignal(m)), {
      description: brakeOn,
    });
    const brakeOff = 'Takes a brake off: {by, brakeId?, reason?}.';
    setHandler(signals.releaseClusterBrakeUpdate, (m) => this.releaseBrake(m), {
      description: brakeOff,
      validator: (m) => this.judgeRelease(m),
    });
    setHandler(signals.releaseBrakeSignal, (m) => this.onSignal('releaseBrake', m, () => this.releaseBrake(m)), {
      description: brakeOff,
    });
    setHandler(signals.clusterStatusQuery, () => this.view(), { description: 'What runs where, and what waits.' });
    setDefaultSignalHandler((name, ...args) => {
      const expected = 'a signal of the contract: engageBrake, releaseBrake';
      this.reject(name, { path: '', value: JSON.stringify(args)?.slice(0, 200) ?? '', expected });
    });
  }

  private engageFromSignal(payload: unknown): void {
    this.judgeBrake(payload);
    this.engage(validated(messages.engageClusterBrake, payload));
  }

  /** A signal that makes no sense changes nothing, and is filed. */
  private onSignal(name: string, payload: unknown, act: () => unknown): void {
    try {
      act();
    } catch (error) {
      for (const problem of problemsOf(error)) this.reject(name, problem, payload);
    }
  }

  private reject(message: string, problem: Problem, payload?: unknown): void {
    log.warn('a message was rejected', { message, ...problem });
    const by = (payload as { by?: unknown } | undefined)?.by;
    const at = new Date(Date.now()).toISOString();
    this.state.rejected.push({ at, message, ...problem, ...(typeof by === 'string' ? { by } : {}) });
    this.wake();
  }

  private record(
    act: string,
    m: { by: string; reason?: string | undefined; url?: string | undefined },
    outcome: string,
  ): void {
    const at = new Date(Date.now()).toISOString();
    const { by, reason, url } = m;
    this.state.acts.push({ at, act, by, outcome, ...(reason ? { reason } : {}), ...(url ? { url } : {}) });
  }

  private view(): ClusterStatus {
    return viewOfCluster(this.state, Date.now());
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  private shouldContinueAsNew(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
  }

  private async continueAsNew(): Promise<void> {
    await condition(() => this.pending === 0 && allHandlersFinished());
    await continueAsNew<typeof CellCluster>({ ...this.input, state: this.state });
  }

  private async detached(work: () => Promise<void>): Promise<void> {
    this.pending += 1;
    try {
      await work();
    } finally {
      this.pending -= 1;
      this.wake();
    }
  }

  private wake(): void {
    this.woken = true;
  }
}

function newestOf(observed: Record<string, number>): string | null {
  return newest(Object.keys(observed).filter(isPackage));
}
