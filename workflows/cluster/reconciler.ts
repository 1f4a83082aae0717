import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  log,
  ParentClosePolicy,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID, packageRolloutId, ringRolloutId } from '../../src/contract/ids.js';
import type { BrakesHold, BrakesNumber, PackageBrakes, RingAnswer } from '../../src/contract/internal.js';
import * as messages from '../../src/contract/messages.js';
import { CELLS_RING, CELLS_STATE, CELLS_VERSION } from '../../src/contract/search-attributes.js';
import type { Difference } from '../../src/contract/status.js';
import { COORDINATOR, noteHold } from '../../src/domain/brake.js';
import { type Ask, toConverge } from '../../src/domain/cluster/differences.js';
import {
  cellsGone,
  deployableIds,
  enqueue,
  hasBakedEverywhere,
  isReconcile,
  joinAsks,
  keptOn,
  nextRequestId,
  noteFound,
  notePackageBrakes,
  noteUncompared,
  ownPasses,
  reconcileOf,
  ringsOwed,
  welcomeCell,
  welcomeCells,
} from '../../src/domain/cluster/reconcile.js';
import type { QueuedRequest, RingLook } from '../../src/domain/cluster/state.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import { findCell, resolveCoordination, type Topology } from '../../src/domain/topology/index.js';
import { RingRollout } from '../ring-rollout.js';
import { Alarm } from '../shared/alarm.js';
import * as signals from '../shared/signals.js';
import { rejectedBecause, validated } from '../shared/validation.js';
import type { ClusterContext } from './context.js';
import type { Looks } from './looks.js';

/** Two looks are not further apart than this share of their interval, so that nothing resumes everywhere at once. */
const JITTER = 0.1;
/** As long as whoever engages a brake waits for its answer. */
const PASSES_ANSWER_MS = 10_000;

/**
 * Keeps every ring on what it converged on: looks at what really runs, now and then or when somebody asks, and has what
 * differs converged by a pass over only those cells.
 */
export class Reconciler {
  /** Passes that are being started: a continue-as-new would lose them. */
  starting = 0;
  private readonly alarm: Alarm;
  /** What its own passes said last of a package's brakes, by ring. */
  private readonly holds = new Map<number, BrakesHold>();

  constructor(
    private readonly ctx: ClusterContext,
    private readonly looks: () => Looks,
    /** Its pass could not be started, or is gone. */
    private readonly free: (ring: number, requestId: string) => void,
  ) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** Asks for looks that are due; sets the clock for the next ones. */
  keep(): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    if (!topology || state.cold) return;
    const reconcile = reconcileOf(state);
    const { reconcileEveryMs: everyMs } = resolveCoordination(topology);
    const now = Date.now();
    if (reconcile.nextAtMs !== null && reconcile.nextAtMs <= now) {
      this.askAll(topology, { by: COORDINATOR, person: false, cells: null, converge: true });
      reconcile.nextAtMs = null;
    }
    // A topology with a shorter interval does not wait for the end of a longer one.
    const isTooLate = (reconcile.nextAtMs ?? 0) > now + everyMs * (1 + JITTER);
    if (reconcile.nextAtMs === null || isTooLate) {
      reconcile.nextAtMs = Math.round(now + everyMs * (1 + JITTER * (2 * Math.random() - 1)));
    }
    this.alarm.set(reconcile.nextAtMs);
    this.stopWhatIsKeptNoMore(topology);
    const owed = ringsOwed(state, COORDINATOR);
    if (owed.length > 0) this.looks().lookAgainAt(owed);
  }

  /** A package that was aborted, blocked or overtaken meanwhile is brought to no further cell. */
  private stopWhatIsKeptNoMore(topology: Topology): void {
    const { state } = this.ctx;
    const isKept = ({ version, ring }: QueuedRequest): boolean => {
      const kept = keptOn(state, topology, typeof ring === 'number' ? ring : -1);
      return !('not' in kept) && kept.version === version;
    };
    state.queue = state.queue.filter((q) => !isReconcile(q) || isKept(q));
    for (const [ring, turn] of Object.entries(state.turns)) {
      const { request, asked } = turn;
      if (!isReconcile(request) || asked || isKept(request)) continue;
      turn.asked = true;
      const reason = `${request.version} is no longer what ring ${ring} is kept on`;
      const stop = { outcome: 'yielded' as const, by: COORDINATOR, reason, hurry: false, requestId: request.requestId };
      void this.ctx.mail.send(ringRolloutId(Number(ring)), signals.stopPassSignal, stop);
    }
  }

  private askAll(topology: Topology, ask: Ask): void {
    const { state } = this.ctx;
    // Whoever holds a ring knows better what runs there, and converges it.
    const free = topology.rings.map(({ ring }) => ring).filter((ring) => !state.turns[ring]);
    for (const ring of free) this.ask(ring, ask);
  }

  private ask(ring: number, ask: Ask): void {
    const { asked } = reconcileOf(this.ctx.state);
    asked[ring] = joinAsks(asked[ring], ask);
    this.looks().lookAgainAt([ring]);
  }

  // ── what a person asks for ─────────────────────────────────────────────────

  judge(payload: unknown): void {
    const { ring, cells = [] } = validated(messages.reconcile, payload);
    const topology = topologyOf(this.ctx.state);
    if (!topology) throw rejectedBecause('', 'no topology', 'a topology: cellctl cluster apply FILE');
    const rings = topology.rings.map((r) => r.ring);
    if (ring !== undefined && !rings.includes(ring)) {
      throw rejectedBecause('ring', ring, `a ring: ${rings.join(', ')}`);
    }
    for (const [i, cell] of cells.entries()) {
      const found = findCell(topology, cell)?.ring.ring;
      if (found === undefined || (ring !== undefined && found !== ring)) {
        const where = ring === undefined ? 'of the topology' : `of ring ${ring}`;
        throw rejectedBecause(`cells[${i}]`, cell, `a cell ${where}`);
      }
    }
  }

  reconcile(payload: unknown): void {
    const message = validated(messages.reconcile, payload);
    this.judge(message);
    const topology = topologyOf(this.ctx.state) as Topology;
    const { by, cells = null } = message;
    const named = new Map<number, string[]>();
    for (const cell of cells ?? []) {
      const ring = findCell(topology, cell)?.ring.ring ?? -1;
      named.set(ring, [...(named.get(ring) ?? []), cell]);
    }
    const all = message.ring === undefined ? topology.rings.map((r) => r.ring) : [message.ring];
    const rings = cells ? [...named.keys()] : all;
    for (const ring of rings) this.ask(ring, { by, person: true, cells: named.get(ring) ?? null, converge: true });
    this.ctx.record(
      'reconcile',
      message,
      `to be looked at: ring ${rings.join(', ')}${cells ? `: ${cells.join(', ')}` : ''}`,
    );
    this.ctx.wake();
  }

  // ── what changed in the topology ───────────────────────────────────────────

  /** Cells that came are converged once their ring is free; a pass under way drops those that left. */
  topologyChanged(before: Topology, wereIn: ReadonlyMap<string, number>, after: Topology): void {
    const { state } = this.ctx;
    welcomeCells(state, wereIn, after, Date.now());
    for (const [ring, cells] of Object.entries(cellsGone(before, after))) {
      const requestId = state.turns[Number(ring)]?.request.requestId;
      if (requestId === undefined) continue;
      void this.ctx.mail.send(ringRolloutId(Number(ring)), signals.cellsLeftSignal, { requestId, cells });
    }
  }

  /** A cell is back from quarantine. */
  welcome(cell: string): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    const ring = topology && findCell(topology, cell)?.ring.ring;
    if (topology && ring != null && deployableIds(state, topology, ring, Date.now()).has(cell))
      welcomeCell(state, cell, ring, Date.now());
  }

  // ── what was found ─────────────────────────────────────────────────────────

  /** A whole ring was looked at: what it found is noted, and what may be converged by now is asked for. */
  looked(ring: number, { found }: RingLook): void {
    const { state } = this.ctx;
    const reconcile = reconcileOf(state);
    const topology = topologyOf(state);
    const ask = reconcile.asked[ring];
    delete reconcile.asked[ring];
    if (!topology || !found) return noteUncompared(state, ring);
    const before = reconcile.found[ring] ?? [];
    const kept = deployableIds(state, topology, ring, Date.now());
    noteFound(state, ring, found, (cell) => kept.has(cell));
    const { reconcileHandChanges } = resolveCoordination(topology);
    if (ask) this.converge(ring, toConverge(found, ask, reconcileHandChanges, before), ask, topology);
  }

  private converge(ring: number, differ: Difference[], { by, person }: Ask, topology: Topology): void {
    const { state } = this.ctx;
    const kept = keptOn(state, topology, ring);
    if (differ.length === 0 || 'not' in kept) return;
    const requestId = nextRequestId(reconcileOf(state), workflowInfo().firstExecutionRunId);
    const cells = differ.map(({ cell }) => cell);
    enqueue(state, { requestId, ring, ...kept, cells, by, askedFor: person }, Date.now());
  }

  // ── its own turns ──────────────────────────────────────────────────────────

  /** What the queue says to a request of the cluster's own. */
  answered(request: QueuedRequest, answer: RingAnswer): void {
    const { ring } = request;
    if (answer.kind === 'granted' && typeof ring === 'number') void this.startPass(ring, request);
    else if (answer.kind !== 'held') log.info('nothing is reconciled', { ring, answer: answer.kind });
  }

  /**
   * A package brakes itself: what the cluster brings cells to is stopped, too. The package is told once its passes here go
   * by that; who has not entered its ring yet gets the brakes with its entry.
   */
  async packageBrakes(message: PackageBrakes): Promise<void> {
    const { state, mail } = this.ctx;
    const { version, ...list } = message;
    notePackageBrakes(state, message);
    this.ctx.wake();
    // One that was there before this cluster may be its own, too.
    if (!(await condition(() => state.unmet?.length === 0, PASSES_ANSWER_MS))) return;
    const passes = ownPasses(state, version);
    for (const { ring, requestId } of passes) {
      void mail.sendAtOnce(ringRolloutId(ring), signals.setBrakesSignal, { from: 'package', ...list, requestId });
    }
    const isThere = ({ ring, pass }: (typeof passes)[number]) => state.turns[ring]?.pass === pass;
    const holds = () => passes.every((p) => !isThere(p) || this.holdOf(p.pass, list) !== null);
    if (!(await condition(holds, PASSES_ANSWER_MS))) return;
    const inFlight = passes.flatMap(({ pass }) => this.holdOf(pass, list) ?? []);
    const { epoch, seq } = list;
    await mail.sendAtOnce(packageRolloutId(version), signals.packageBrakesKnownSignal, { epoch, seq, inFlight });
  }

  /** A pass goes by a list of brakes: of those of the cluster's own only the package's are asked for here. */
  noteHold(hold: BrakesHold): void {
    const request = this.ctx.state.turns[hold.ring]?.request;
    if (!request || !isReconcile(request) || hold.epoch === workflowInfo().firstExecutionRunId) return;
    noteHold(this.holds, hold);
    this.ctx.wake();
  }

  /** The cells that a pass had in flight when it came to go by this list, or a later one; null: it has not said so. */
  private holdOf(pass: string, { epoch, seq }: BrakesNumber): string[] | null {
    const hold = [...this.holds.values()].find((h) => h.pass === pass);
    return hold?.epoch === epoch && hold.seq >= seq ? hold.inFlight : null;
  }

  private async startPass(ring: number, request: QueuedRequest): Promise<void> {
    const { requestId } = request;
    const isOurs = () => this.ctx.state.turns[ring]?.request.requestId === requestId;
    this.starting += 1;
    try {
      for (let waitMs = 100; isOurs(); waitMs = Math.min(waitMs * 2, 5_000)) {
        if (await this.tryToStart(ring, request)) break;
        await sleep(waitMs);
      }
    } finally {
      this.starting -= 1;
      this.ctx.wake();
    }
  }

  /** false: the pass before it on this ring has not closed yet. */
  private async tryToStart(ring: number, request: QueuedRequest): Promise<boolean> {
    try {
      const handle = await startChild(RingRollout, this.optionsFor(ring, request));
      handle.result().catch(() => this.free(ring, request.requestId));
      const cells = request.cells ?? [];
      const outcome = `ring ${ring}: ${cells.slice(0, 10).join(', ')}${cells.length > 10 ? ', …' : ''} back to ${request.version}`;
      this.ctx.record('reconcile', { by: COORDINATOR, reason: `asked for by ${request.by}` }, outcome);
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      log.warn('a pass could not be started', { ring, error: String(error) });
      this.free(ring, request.requestId);
      return true;
    }
  }

  private optionsFor(
    ring: number,
    { requestId, version, chartVersion, askedFor = false, by = COORDINATOR }: QueuedRequest,
  ) {
    const own = { epoch: workflowInfo().firstExecutionRunId, seq: 0, brakes: [] };
    const { epoch, seq, brakes } = this.ctx.state.rollouts[version]?.braked ?? own;
    const input = {
      ring,
      version,
      chartVersion,
      purpose: 'deploy' as const,
      lane: null,
      requestId,
      starter: CLUSTER_WORKFLOW_ID,
      packageBrakes: brakes,
      packageBrakesNumber: { epoch, seq },
      skips: [],
      failedChecks: {},
      overridden: [],
      holdForward: null,
      ...(hasBakedEverywhere(this.ctx.state, ring, version) ? { bakedEverywhere: true as const } : {}),
      leftBehind: [],
      migrationFailed: [],
      mend: false,
      afterLoss: false,
      reconciles: true,
      askedFor,
      reason: `reconcile to ${version}, asked for by ${by}`,
    };
    return {
      workflowId: ringRolloutId(ring),
      args: [input] as Parameters<typeof RingRollout>,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `reconcile ${version} on ring ${ring}`,
      typedSearchAttributes: [
        { key: CELLS_VERSION, value: version },
        { key: CELLS_RING, value: ring },
        { key: CELLS_STATE, value: 'rolling' },
      ] as never,
    };
  }
}
