import { setTimeout as sleep } from 'node:timers/promises';
import type { Asked } from '../../src/client/index.js';
import { FailedError, NotFoundError, RejectedError, UnreachableError } from '../../src/client/index.js';
import { FAILURE } from '../../src/contract/failures.js';
import type { RingResult } from '../../src/contract/status.js';
import { evidenceOf } from '../invariants/expect.js';
import { checkInvariants, type Evidence } from '../invariants/index.js';
import { newWorld, type World } from '../support/world.js';
import { rollbacksOf, versionsOf } from './asked.js';
import { behind } from './behind.js';
import { changeOf } from './changes.js';
import { unexplained } from './explained.js';
import {
  type ActPlan,
  cellAt,
  everyCellOf,
  type FaultPlan,
  PACKAGES,
  type Plan,
  pick,
  ringsOf,
  type Topology,
  topologyOf,
} from './plan.js';
import { comeToRest, insist, reconcile } from './rest.js';
import { type MortalWorker, startMortalWorker } from './worker.js';

/** What one run showed. */
export interface Played {
  plan: Plan;
  startedMs: number;
  /** When the worker was killed, epoch ms. */
  killedMs: number[];
  /** What is wrong with it, in words; none: the run is as it should be. */
  problems: string[];
  evidence: Evidence | null;
}

/** A caller of `deployRing` who waits for the end of the pass. */
export interface Caller {
  version: string;
  answer: Promise<RingResult>;
}

/** How long a waiting caller may go on waiting once nothing moves any more. */
const CALLER_MS = 5_000;

/** What one run has at hand while it goes on. */
interface Scene {
  world: World;
  plan: Plan;
  callers: Caller[];
  /** The topology in force; changes come one after the other. */
  topology: Topology;
  changing: Promise<unknown>;
  /** Cells that joined, left or moved. */
  moved: Set<string>;
}

/** Plays one plan in a world of its own, lets it come to rest, and looks at everything that must hold. */
export async function play(plan: Plan): Promise<Played> {
  const isMortal = plan.kills.length > 0;
  const world = await newWorld({
    topology: topologyOf(plan),
    simulator: { durationMs: plan.jobMs, topology: everyCellOf(plan) },
    ...(isMortal ? { worker: false } : {}),
  });
  const played: Played = { plan, startedMs: Date.now(), killedMs: [], problems: [], evidence: null };
  let worker: MortalWorker | null = null;
  try {
    if (isMortal) worker = await startMortalWorker(world);
    await world.apply();
    played.startedMs = Date.now();
    const scene = sceneOf(world, plan);
    await Promise.all([disturb(scene, played.problems), killAll(worker, played)]);
    played.problems.push(...(await comeToRest(world, plan)));
    played.problems.push(...(await unanswered(scene)));
    await judge(scene, played);
  } catch (error) {
    played.problems.push(`the run itself broke: ${error instanceof Error ? error.message : String(error)}`);
    played.evidence ??= await evidenceOf(world).catch(() => null);
  } finally {
    await worker?.stop();
    await world.close();
  }
  return played;
}

const sceneOf = (world: World, plan: Plan): Scene => ({
  world,
  plan,
  callers: [],
  topology: world.topology as Topology,
  changing: Promise.resolve(),
  moved: new Set(),
});

async function killAll(worker: MortalWorker | null, { plan, startedMs, killedMs }: Played): Promise<void> {
  if (worker === null) return;
  for (const atMs of plan.kills) {
    await sleep(Math.max(0, startedMs + atMs - Date.now()));
    killedMs.push(await worker.kill());
  }
}

/** Many worlds share a few cores: it may take seconds until every ring has heard of a failure. */
const CROWDED = { noticeMs: 15_000 };
/** A job that fails while nobody is up is noticed late. */
const AFTER_KILLS = { noticeMs: 60_000 };

/** First what the statuses say, then, once everything was reconciled, where the cells stand. */
async function judge({ world, plan, moved }: Scene, played: Played): Promise<void> {
  const { problems } = played;
  played.evidence = await evidenceOf(world);
  const rollbacks = await rollbacksOf(world);
  const cells = await versionsOf(world);
  problems.push(...unexplained({ plan, evidence: played.evidence, rollbacks, cells, moved }));
  problems.push(...(await reconcile(world)));
  const cluster = await world.cells.cluster().status();
  // No rollout is open that could say more than before.
  played.evidence = { ...played.evidence, jobs: await world.jobs(), cluster };
  const found = checkInvariants(played.evidence, plan.kills.length > 0 ? AFTER_KILLS : CROWDED);
  problems.push(...found.map(({ rule, message }) => `rule ${rule}: ${message}`));
  const rings = outerRings(await world.cells.cluster().topology());
  problems.push(...behind({ rings, cluster, evidence: played.evidence, rollbacks, cells: await versionsOf(world) }));
}

/** The cells of each outer ring. */
const outerRings = (topology: Awaited<ReturnType<ReturnType<World['cells']['cluster']>['topology']>>) =>
  (topology?.rings ?? []).flatMap(({ ring, cells }) =>
    ring > (topology?.perimeter ?? 0) ? [{ ring, cells: cells.map(({ id }) => id) }] : [],
  );

/** Faults and acts, each at its moment, whatever becomes of those before it. */
async function disturb(scene: Scene, problems: string[]): Promise<void> {
  const { world, plan } = scene;
  const faults = plan.faults.map((fault) => after(fault.atMs, () => world.fault(faultOf(plan, fault))));
  const acts = plan.acts.map((act) =>
    after(act.atMs, async () => {
      try {
        await perform(scene, act);
      } catch (error) {
        const problem = problemOf(plan, error);
        if (problem !== null) problems.push(`${act.act} at ${act.atMs} ms: ${problem}`);
      }
    }),
  );
  await Promise.all([...faults, ...acts]);
}

async function after<T>(waitMs: number, act: () => Promise<T>): Promise<T> {
  await sleep(waitMs);
  return await act();
}

export function faultOf(plan: Plan, { kind, cell, more, pack }: FaultPlan): Record<string, unknown> {
  return { kind, cell: cellAt(plan, cell), ...more, ...(pack === undefined ? {} : { version: pick(PACKAGES, pack) }) };
}

interface More {
  lane?: string;
  preempt?: boolean;
  rollback?: boolean;
  wait?: 'bake' | 'grace-period';
}

function untilSoon({ more }: ActPlan): { expiresAt?: string } {
  const { expires } = more as { expires?: number };
  return expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires).toISOString() };
}

/** The next package, where there is one. */
function fixedIn({ more, pack }: ActPlan): { fixedIn?: string } {
  const next = PACKAGES[(pack % PACKAGES.length) + 1];
  return (more as { isFixed?: boolean }).isFixed && next ? { fixedIn: next } : {};
}

async function perform(scene: Scene, act: ActPlan): Promise<void> {
  const { world, plan, callers } = scene;
  const version = pick(PACKAGES, act.pack);
  const rollout = world.cells.rollout(version);
  const ring = pick(ringsOf(plan), act.ring);
  const cell = cellAt(plan, act.cell);
  const by = 'operator';
  const reason = `at ${act.atMs} ms`;
  const { lane, preempt, rollback, wait } = act.more as More;
  switch (act.act) {
    case 'graduate':
      return void (await rollout.graduate({
        by: 'release-tools',
        ...(lane === undefined ? {} : { lane }),
        ...(preempt ? { preempt } : {}),
      }));
    case 'deployRing': {
      const asked: Asked<RingResult> = await rollout.deployRing({ ring: 0, by: 'release-tools' });
      const answer = asked.answer();
      answer.catch(() => undefined);
      return void callers.push({ version, answer });
    }
    case 'engageBrake':
      return await engage(world, act, { version, ring, by, reason });
    case 'releaseBrake': {
      const { where, brakeId } = act.more as { where: string; brakeId: string };
      const whose = where === 'package' ? rollout : world.cells.cluster();
      return void (await whose.releaseBrake({ brakeId, by, reason }));
    }
    case 'retryRing':
      return void (await rollout.retryRing({ ring, by, reason }));
    case 'skipCell':
      return void (await rollout.skipCell({ cell, by, reason }));
    case 'abort':
      return void (await rollout.abort({ by, reason, ...(rollback ? { rollback } : {}) }));
    case 'quarantineCell':
      return void (await world.cells.cluster().quarantineCell({ cell, by, reason, ...untilSoon(act) }));
    case 'readmitCell':
      return void (await world.cells.cluster().readmitCell({ cell, by, reason }));
    case 'blockVersion':
      return void (await world.cells.cluster().blockVersion({ version, by, reason, ...fixedIn(act) }));
    case 'unblockVersion':
      return void (await world.cells.cluster().unblockVersion({ version, by, reason }));
    case 'approveRing':
      return void (await rollout.approveRing({ ring, by, reason }));
    case 'override':
      return void (await rollout.override({ wait: wait ?? 'bake', ring, by, reason }));
    case 'rollback':
      return await takeBack(world, act, { version, ring, by, reason, cell });
    case 'applyTopology':
      return await changeTopology(scene, act);
    default:
      throw new Error(`no act is called ${act.act}`);
  }
}

interface Words {
  version: string;
  ring: number;
  by: string;
  reason: string;
}

async function engage(world: World, act: ActPlan, { version, ring, by, reason }: Words): Promise<void> {
  const { where, mode, brakeId } = act.more as {
    where: 'outer' | 'cluster' | 'ring' | 'package';
    mode: 'finish-cells' | 'cancel-cells' | 'finish-ring';
    brakeId: string;
  };
  const brake = { by, reason, brakeId, mode, ...untilSoon(act) };
  if (where === 'package') await world.cells.rollout(version).engageBrake(brake);
  else await world.cells.cluster().engageBrake({ ...brake, scope: where === 'ring' ? { ring } : where });
}

async function takeBack(
  world: World,
  { more }: ActPlan,
  { version, ring, by, reason, cell }: Words & { cell: string },
): Promise<void> {
  const { where, block, downtime, toBlocked } = more as {
    where: 'everywhere' | 'ring' | 'qa';
    block: boolean;
    downtime: boolean;
    toBlocked: boolean;
  };
  const what = {
    everywhere: { block },
    ring: { block, ring },
    // Release managers try again at once.
    qa: { block: false, ring: 0 },
  };
  const allowed = { ...(downtime ? { allowDowntime: [cell] } : {}), ...(toBlocked ? { toBlocked } : {}) };
  await world.cells.rollback(version).start({ by, reason, ...what[where], ...allowed });
}

/** One after the other, each on top of what the one before it left. */
async function changeTopology(scene: Scene, act: ActPlan): Promise<void> {
  const { world, plan } = scene;
  const { allowRemoval } = act.more as { allowRemoval: boolean };
  const changed = scene.changing.then(async () => {
    const change = changeOf(plan, scene.topology, act, world.simulator.url);
    if (!change) return;
    const { topology, cell } = change;
    await insist(() => world.cells.cluster().applyTopology({ topology, by: 'operator', allowRemoval }));
    scene.topology = topology;
    scene.moved.add(cell);
  });
  scene.changing = changed.catch(() => undefined);
  await changed;
}

/** Before a rollout comes to rest, whoever waits for a ring inside the perimeter has an answer. */
async function unanswered({ plan, callers }: Scene): Promise<string[]> {
  const answers = callers.map(async ({ version, answer }) => {
    const late = sleep(CALLER_MS, 'nobody answers', { ref: false });
    const told = answer.then(
      () => null,
      (error: unknown) => problemOf(plan, error),
    );
    const problem = await Promise.race([told, late]);
    return problem === null ? [] : [`deployRing of ${version}: ${problem}`];
  });
  return (await Promise.all(answers)).flat();
}

/**
 * A refusal is an answer, too, and so is that a brake is on which not every pass has confirmed in time: many worlds share a
 * few cores. Where workers are killed nobody may be there to answer.
 */
function problemOf({ kills }: Plan, error: unknown): string | null {
  const isLate = error instanceof FailedError && error.type === FAILURE.brakeUnconfirmed;
  const isAnswer = error instanceof RejectedError || error instanceof NotFoundError || isLate;
  return isAnswer || (error instanceof UnreachableError && kills.length > 0) ? null : String(error);
}
