import { condition, log, sleep } from '@temporalio/workflow';
import type { CellLook, CellRef, RingHealth } from '../../src/contract/activities.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import { differenceOf } from '../../src/domain/cluster/differences.js';
import { noteObserved } from '../../src/domain/cluster/holders.js';
import {
  deployableIds,
  FOUND_AT_MOST,
  keptOn,
  noteLooks,
  reconcileOf,
  standingOf,
} from '../../src/domain/cluster/reconcile.js';
import { COLD_START } from '../../src/domain/cluster/restore.js';
import type { ClusterState, RingLook } from '../../src/domain/cluster/state.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import { isWatched, noteWatched, watchedAs } from '../../src/domain/cluster/watched.js';
import { isPackage, newest } from '../../src/domain/package-version.js';
import { deployableCells, ringOf } from '../../src/domain/topology/index.js';
import { judgeRing, lookAtCells } from '../shared/activities.js';
import type { BrakeDesk } from '../shared/brake-desk.js';
import { troublePauseMs } from '../shared/trouble.js';
import type { ClusterContext } from './context.js';
import type { Recall } from './recall.js';

const BATCH = 100;
const TRY_AGAIN_MS = 10_000;

/**
 * Looks at what really runs: at every cell where the cluster begins without state, and at a ring whose cells changed.
 * What is still to be looked at is in the state, so it goes on after a continue-as-new.
 */
export class Looks {
  /** Rings whose health is being asked for: no look waits for that, and the next one asks again where it was lost. */
  private readonly watching = new Set<number>();

  constructor(
    private readonly ctx: ClusterContext,
    private readonly brakes: BrakeDesk,
    private readonly recall: Recall,
    /** What stood before is known, or it is known that nobody knows: passes under way are to hear of it. */
    private readonly onRecalled: () => void,
    /** Every cell of a ring was looked at. */
    private readonly onLooked: (ring: number, looking: RingLook) => void,
  ) {}

  /**
   * The brake is on from the start, and comes off by itself only where nothing runs anywhere; or it was released by
   * name, by whoever applied the topology.
   */
  startCold(by: string, isReleased: boolean): void {
    const { state } = this.ctx;
    state.cold = { by, isReleased };
    if (!isReleased) this.brake('looking at every cell first');
    this.lookAgainAt(Object.keys(state.rings).map(Number));
  }

  lookAgainAt(rings: number[]): void {
    const { state } = this.ctx;
    state.toLook = [...new Set([...state.toLook, ...rings])];
    // Its cells may be others now.
    if (state.looking && rings.includes(state.looking.ring)) state.looking = null;
    this.ctx.wake();
  }

  async keepLooking(): Promise<never> {
    const { state } = this.ctx;
    for (;;) {
      await condition(() => state.toLook.length > 0 || state.cold !== null);
      if (state.cold && !state.cold.recalled) {
        // Under the brake it is asked for again and again; where that is released already, this once.
        state.cold.recalled = await this.recall.recall(state.cold.isReleased);
        this.onRecalled();
      }
      const [ring] = state.toLook;
      if (ring !== undefined && (await this.lookAt(ring))) state.toLook = state.toLook.filter((r) => r !== ring);
      if (state.toLook.length === 0 && state.cold) this.endCold(state.cold);
      this.ctx.wake();
    }
  }

  private endCold({ by, isReleased, recalled }: NonNullable<ClusterState['cold']>): void {
    const { state } = this.ctx;
    state.cold = null;
    const found = [this.found(), recalled?.found].filter(Boolean).join('; ');
    state.coldStart = { at: new Date(Date.now()).toISOString(), found };
    if (isReleased) {
      this.ctx.record('releaseBrake', { by, reason: 'released when the topology was applied' }, `cold start: ${found}`);
      return;
    }
    const isEmpty = Object.values(state.rings).every((r) => Object.keys(r.observed).every((v) => v === 'unknown'));
    // Somebody may have released it by name meanwhile: then it stays off.
    if (!state.brakes.some((b) => b.brakeId === COLD_START)) return;
    if (isEmpty && !recalled?.hasOrders) return this.brakes.release(COLD_START);
    this.brake(`began without state; found ${found}`);
    if (recalled?.isUnknown) state.unrecalled = true;
  }

  /** A ledger that was away, or that nobody served yet, may be back before somebody releases what waits for its word. */
  async keepRecalling(): Promise<never> {
    const { state } = this.ctx;
    const isHeld = () => state.brakes.some(({ brakeId }) => brakeId === COLD_START);
    for (;;) {
      await condition(() => state.unrecalled === true);
      for (let tries = 1; state.unrecalled && isHeld(); tries += 1) {
        await sleep(troublePauseMs(tries));
        if (!isHeld()) break;
        const { found, isUnknown } = await this.recall.recall(false, isHeld);
        if (isUnknown) continue;
        const all = [this.found(), found].join('; ');
        state.coldStart = { at: new Date(Date.now()).toISOString(), found: all };
        this.brake(`began without state; found ${all}`);
        this.onRecalled();
        break;
      }
      delete state.unrecalled;
      this.ctx.wake();
    }
  }

  private brake(reason: string): void {
    this.brakes.engage({ by: COORDINATOR, reason, brakeId: COLD_START, scope: 'cluster', mode: 'finish-cells' });
  }

  private found(): string {
    const rings = Object.entries(this.ctx.state.rings).map(([ring, { observed }]) => {
      const seen = Object.entries(observed).map(([version, cells]) => `${cells} on ${version}`);
      return `ring ${ring}: ${seen.join(', ') || 'no cells'}`;
    });
    return rings.join('; ');
  }

  /** Answers whether nothing is left to look at there. A pass that is in the ring knows better than this look. */
  private async lookAt(ring: number): Promise<boolean> {
    const { state } = this.ctx;
    if (state.turns[ring]) return this.endLook();
    if (state.looking?.ring !== ring) state.looking = { ring, cells: 0, observed: {} };
    const looking = state.looking;
    const batch = this.cellsOf(ring).slice(looking.cells, looking.cells + BATCH);
    if (batch.length > 0) {
      const looks = await this.lookAtCells(ring, batch);
      // Meanwhile it may have begun anew, with other cells.
      if (state.looking !== looking) return false;
      this.noteLooks(ring, looking, looks);
      this.compare(ring, looking, looks);
      return false;
    }
    const record = state.rings[ring];
    if (!record) return this.endLook();
    noteObserved(record, looking);
    record.desired ??= newest(Object.keys(record.observed).filter(isPackage));
    this.onLooked(ring, looking);
    void this.watch(ring);
    return this.endLook();
  }

  /** A ring that is only observed: what would be done there now, and whether anything would stop it. */
  private async watch(ring: number): Promise<void> {
    const { state } = this.ctx;
    const observing = () => {
      const topology = topologyOf(state);
      return topology && isWatched(topology, ring) ? topology : null;
    };
    if (!observing() || this.watching.has(ring)) return;
    this.watching.add(ring);
    const unknown = (error: unknown): RingHealth => ({ healthy: null, sentence: `its health is not known: ${error}` });
    const health = await judgeRing({ ring }).catch(unknown);
    this.watching.delete(ring);
    const topology = observing();
    if (!topology) return;
    this.ctx.enter(noteWatched(state, ring, watchedAs(state, topology, ring, health, Date.now())));
    this.ctx.wake();
  }

  private noteLooks(ring: number, looking: RingLook, looks: CellLook[]): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    const isIn = topology && deployableIds(state, topology, ring, Date.now());
    noteLooks(looking, looks, (cell) => isIn?.has(cell) ?? true);
  }

  /** Notes which of these cells do not stand where their ring does. */
  private compare(ring: number, looking: RingLook, looks: CellLook[]): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    const standing = topology && standingOf(state, topology, ring);
    if (!topology || !standing) return;
    const kept = deployableIds(state, topology, ring, Date.now());
    const { welcome } = reconcileOf(state);
    for (const look of looks) {
      const known = welcome[look.cell];
      const came = known?.ring === ring ? known : null;
      const difference = kept.has(look.cell) ? differenceOf(look, standing, came, Date.now()) : null;
      looking.found ??= [];
      if (difference && looking.found.length < FOUND_AT_MOST) looking.found.push(difference);
    }
  }

  private endLook(): true {
    this.ctx.state.looking = null;
    return true;
  }

  private async lookAtCells(ring: number, cells: CellRef[]): Promise<CellLook[]> {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    const kept = topology && keptOn(state, topology, ring);
    const isKept = kept !== null && !('not' in kept);
    const target = isKept ? { ...kept, askJobs: true } : { version: '', chartVersion: null };
    const order = { cluster: state.cluster ?? '', ring, ...target, askReadiness: false };
    for (let tries = 1; ; tries += 1) {
      try {
        return await lookAtCells({ ...order, cells });
      } catch (error) {
        log.warn('the look at the cells failed, and is tried again', { ring, error: String(error) });
        // Nobody waits for a look that only keeps what is known true.
        await sleep(state.cold ? TRY_AGAIN_MS : troublePauseMs(tries));
      }
    }
  }

  private cellsOf(ring: number): CellRef[] {
    const topology = topologyOf(this.ctx.state);
    const found = topology ? ringOf(topology, ring) : null;
    if (!found) return [];
    const { cells, leftOut } = deployableCells(found, Date.now());
    const external = found.deployedBy === 'external' ? found.cells : [];
    const all = [...cells, ...leftOut.map((l) => l.cell), ...external];
    return all.flatMap(({ id, tenant, url }) => (tenant && url ? [{ id, tenant, url }] : []));
  }
}
