import { condition, workflowInfo } from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID, ringRolloutId } from '../../src/contract/ids.js';
import type { PackageBrakesKnown } from '../../src/contract/internal.js';
import type { Due } from '../../src/domain/alerts/book.js';
import { alertsOfBrakes } from '../../src/domain/alerts/brakes.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import { brakeAfterPdm, noteUnwellAfterPdm } from '../../src/domain/rollout/after-pdm.js';
import { isOpen, type Track, tracksOf } from '../../src/domain/rollout/state.js';
import { BrakeDesk, type OtherHold } from '../shared/brake-desk.js';
import * as signals from '../shared/signals.js';
import type { PackageContext } from './context.js';

const isForward = (track: Track): boolean => isOpen(track) && track.purpose !== 'rollback';

/**
 * The brakes of one package, which cover its passes in whichever ring.
 *
 * @param knowsItsPasses whether the passes that an earlier run of the rollout left are known
 * @param cluster what the cluster says of them
 */
export function packageBrakes(ctx: PackageContext, knowsItsPasses: () => boolean, cluster: ClusterHold): BrakeDesk {
  const { state } = ctx;
  const desk: BrakeDesk = new BrakeDesk({
    state,
    epoch: workflowInfo().firstExecutionRunId,
    coveredRings: () =>
      knowsItsPasses()
        ? tracksOf(state)
            .filter(isForward)
            .map((t) => t.ring)
        : null,
    other: cluster,
    tellPasses: () => {
      void cluster.tell(desk);
      for (const track of tracksOf(state).filter(isOpen)) void ctx.detached(() => tellBrakes(ctx, desk, track));
    },
    record: (act, brake, outcome) => ctx.record(act, brake, outcome),
    wake: () => ctx.wake(),
  });
  return desk;
}

/**
 * What the cluster said last of the brakes of a package: whether the passes go by them with which it keeps rings on the
 * package. One that is not there starts none.
 */
export class ClusterHold implements OtherHold {
  readonly workflowId = CLUSTER_WORKFLOW_ID;
  private known: PackageBrakesKnown | null = null;
  private telling = false;
  private isChanged = false;

  /** @param isHeard the cluster knows of this run, or does not answer: before that it goes by what the run before this one told */
  constructor(
    private readonly ctx: PackageContext,
    private readonly isHeard: () => boolean,
  ) {}

  /**
   * What the cluster itself brings cells to, it brings there only while the package is not braked. Of lists that follow close
   * upon one another it is told the last one.
   */
  async tell(desk: BrakeDesk): Promise<void> {
    this.isChanged = true;
    if (this.telling) return;
    this.telling = true;
    while (this.isChanged) {
      await condition(() => this.isHeard());
      this.isChanged = false;
      await this.tellOnce(desk);
    }
    this.telling = false;
  }

  private async tellOnce({ number }: BrakeDesk): Promise<void> {
    const { version, brakes } = this.ctx.state;
    const message = { version, ...number, brakes };
    const isThere = await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.packageBrakesSignal, message);
    if (!isThere) this.note({ ...number, inFlight: [] });
  }

  note(known: PackageBrakesKnown): void {
    if (known.epoch !== workflowInfo().firstExecutionRunId) return;
    if (this.known === null || known.seq >= this.known.seq) this.known = known;
    this.ctx.wake();
  }

  inFlight(seq: number): string[] | null {
    return this.known !== null && this.known.seq >= seq ? this.known.inFlight : null;
  }
}

/** Nothing is said before the cluster has said its name: it is part of what tells an alert from another. */
export function brakeAlerts({ state }: PackageContext, desk: BrakeDesk): Due {
  const { cluster = null, version, lately = [] } = state;
  if (cluster === null) return { alerts: [], nextMs: null };
  return alertsOfBrakes(desk.holding, lately, { cluster, version, perimeter: 0, now: Date.now() });
}

/** A pass that is just being started began with older brakes: it is told once it is there. */
async function tellBrakes({ state, mail }: PackageContext, desk: BrakeDesk, track: Track): Promise<void> {
  await condition(() => track.stage !== 'granted');
  if (track.stage !== 'running') return;
  const { requestId } = track;
  const brakes = { from: 'package' as const, ...desk.number, brakes: state.brakes, requestId };
  await mail.sendAtOnce(ringRolloutId(track.ring), signals.setBrakesSignal, brakes);
}

/** A package that makes cells ill from which it cannot be taken back goes nowhere, until a person says so. */
export function brakeAfterMigration(state: PackageContext['state'], desk: BrakeDesk, ring: number, why: string): void {
  if (!noteUnwellAfterPdm(state, ring)) return;
  const brakeId = brakeAfterPdm(ring);
  desk.engage({ by: COORDINATOR, reason: `ring ${ring}: ${why}`, brakeId, scope: 'package', mode: 'finish-cells' });
}
