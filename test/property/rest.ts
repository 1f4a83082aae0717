import { setTimeout as sleep } from 'node:timers/promises';
import { NotFoundError, RejectedError, UnreachableError } from '../../src/client/index.js';
import type {
  ClusterStatus,
  PackageRollbackStatus,
  PackageRolloutStatus,
  RolloutRing,
} from '../../src/contract/status.js';
import type { World } from '../support/world.js';
import { PACKAGES, type Plan } from './plan.js';

/** So long nothing may happen at all: no job, no change of any status. Waits for AMP's own trouble are shorter. */
const STILL_MS = 30_000;
/** Where a worker was killed its activities are missed after seconds, and what it was verifying is verified anew. */
const STILL_AFTER_KILLS_MS = 60_000;
/** On a busy machine everything is slow; so long it may take in all. */
const BOUND_MS = 180_000;
const LOOK_MS = 600;
/** A ring that nothing mends is given up after so many retries; each waits until the one before has shown its end. */
const MAX_RETRIES = 4;
const RETRY_EVERY_MS = 1_500;
const BY = { by: 'night-shift', reason: 'the end of the test' };

interface Patience {
  retries: number;
  lastMs: number;
  /** It was aborted because no retry helped. */
  givenUp: boolean;
}

/**
 * Takes brakes off, lifts blocks and quarantines, approves, and retries or aborts what waits for a person, until every
 * rollout has ended or waits for its graduation only, every rollback has ended, no ring is held, and nothing is left to
 * lift. Faults stay until a retry has not helped. Answers what is wrong with the way there.
 */
export async function comeToRest(world: World, plan: Plan): Promise<string[]> {
  const patience = new Map<string, Patience>();
  const stillMs = plan.kills.length > 0 ? STILL_AFTER_KILLS_MS : STILL_MS;
  const endMs = Date.now() + BOUND_MS;
  let moved = { what: '', atMs: Date.now() };
  let versions = await insist(() => existing(world));
  for (;;) {
    const { going, backs, cluster } = await insist(() => lookAround(world, versions));
    // Nobody opens an ended rollout again, and every question is work for the worker that the others need, too.
    versions = going.map((s) => s.version);
    // One that waits may still graduate: where a worker was killed, what nobody has answered counts all the same.
    const open = going.filter((s) => !isWaitingForGraduation(s));
    const isOver = open.length + backs.length === 0 && !isHeld(cluster);
    if (isOver && (await isQuiet(world, cluster))) return givenUp(patience, plan);
    const what = await whatMoves(world, [...open, ...backs]);
    if (what !== moved.what) moved = { what, atMs: Date.now() };
    const still = Date.now() - moved.atMs > stillMs;
    if (still || Date.now() > endMs) {
      const how = still ? `nothing happens for ${stillMs} ms` : `not at rest after ${BOUND_MS} ms`;
      return [`${how}: ${whatGoesOn(cluster, open, backs)}`];
    }
    await releaseBrakes(world, cluster, open);
    await liftTheRest(world, cluster);
    for (const status of open) await help(world, plan, status, patience);
    await sleep(LOOK_MS);
  }
}

/**
 * Once at rest, and without any fault: the cluster looks at every cell and converges what differs. Answers what is wrong
 * with that.
 */
export async function reconcile(world: World): Promise<string[]> {
  await world.clearFaults();
  await insist(() => world.cells.cluster().reconcile({ by: BY.by }));
  const endMs = Date.now() + BOUND_MS;
  for (let quiet = 0; quiet < SURELY; await sleep(LOOK_MS)) {
    const cluster = await insist(() => world.cells.cluster().status());
    const isOver = cluster.reconcile?.looking.length === 0 && (await isQuiet(world, cluster));
    quiet = isOver ? quiet + 1 : 0;
    if (Date.now() > endMs) {
      return [
        `not reconciled after ${BOUND_MS} ms: ${whatGoesOn(cluster, [], [])}; ${JSON.stringify(cluster.reconcile)}`,
      ];
    }
  }
  return [];
}

/** A look, and what it leads to, may fall between two signals. */
const SURELY = 2;

/** Asks again for as long as no worker answers: one that was killed has to come back first. */
export async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (const endMs = Date.now() + BOUND_MS; ; await sleep(LOOK_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof UnreachableError) || Date.now() > endMs) throw error;
    }
  }
}

interface Around {
  /** Rollouts that have not ended. */
  going: PackageRolloutStatus[];
  /** Rollbacks that have not ended. */
  backs: PackageRollbackStatus[];
  cluster: ClusterStatus;
}

async function lookAround(world: World, versions: string[]): Promise<Around> {
  const statuses = await Promise.all(versions.map((version) => statusOf(world, version)));
  const going = statuses.filter((s) => s !== null).filter((s) => s.finishedAt === null);
  const backs = await Promise.all(takenBack(world).map((version) => orNull(world.cells.rollback(version).status())));
  const cluster = await world.cells.cluster().status();
  return { going, backs: backs.filter((s) => s !== null).filter((s) => s.finishedAt === null), cluster };
}

/** The packages that somebody asked to take back. */
const takenBack = ({ acts }: World): string[] =>
  PACKAGES.filter((version) => acts.some((a) => a.act === 'rollback' && a.version === version));

/** What is lifted in the end holds still. */
const isHeld = ({ brakes, blocked, quarantined }: ClusterStatus): boolean =>
  brakes.length + blocked.length + quarantined.length > 0;

/** After faults are gone, a retry must mend everything but cells that people left out. */
function givenUp(patience: Map<string, Patience>, plan: Plan): string[] {
  if (plan.acts.some((a) => a.act === 'skipCell' || a.act === 'quarantineCell')) return [];
  return [...patience].flatMap(([version, p]) =>
    p.givenUp ? [`${version} halted again after ${MAX_RETRIES} retries without any fault`] : [],
  );
}

async function existing(world: World): Promise<string[]> {
  const statuses = await Promise.all(PACKAGES.map((version) => statusOf(world, version)));
  return statuses.flatMap((s) => s?.version ?? []);
}

const isWaitingForGraduation = ({ state, rings }: PackageRolloutStatus): boolean =>
  state === 'awaiting-graduation' && rings.every((r) => r.inFlight === 0);

const statusOf = (world: World, version: string): Promise<PackageRolloutStatus | null> =>
  orNull(world.cells.rollout(version).status());

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

async function isQuiet(world: World, { rings, queue }: ClusterStatus): Promise<boolean> {
  if (queue.length > 0 || rings.some((r) => r.rollout !== undefined)) return false;
  return (await world.jobs()).every((job) => job.finished_at !== null);
}

async function whatMoves(world: World, open: PackageRolloutStatus[]): Promise<string> {
  const jobs = (await world.jobs()).map((job) => job.state);
  const rings = open.map((s) => [
    s.version,
    s.state,
    s.rings.map((r) => [r.state, r.converged, r.inFlight, r.pending]),
  ]);
  return JSON.stringify([jobs, rings]);
}

async function releaseBrakes(world: World, cluster: ClusterStatus, open: PackageRolloutStatus[]): Promise<void> {
  for (const { brakeId } of cluster.brakes) await tolerate(world.cells.cluster().releaseBrake({ ...BY, brakeId }));
  for (const { version, brakes } of open) {
    for (const { brakeId } of brakes) await tolerate(world.cells.rollout(version).releaseBrake({ ...BY, brakeId }));
  }
}

/** Nothing is blocked in the end, and no cell left out. */
async function liftTheRest(world: World, { blocked, quarantined }: ClusterStatus): Promise<void> {
  for (const { version } of blocked) await tolerate(world.cells.cluster().unblockVersion({ ...BY, version }));
  for (const { cell } of quarantined) await tolerate(world.cells.cluster().readmitCell({ ...BY, cell }));
}

/** A brake may have expired, or a rollout ended, meanwhile; who gets no answer asks again when he looks again. */
async function tolerate(act: Promise<unknown>): Promise<void> {
  try {
    await act;
  } catch (error) {
    const isNone = error instanceof UnreachableError;
    if (!(error instanceof RejectedError) && !(error instanceof NotFoundError) && !isNone) throw error;
  }
}

async function help(
  world: World,
  plan: Plan,
  status: PackageRolloutStatus,
  patience: Map<string, Patience>,
): Promise<void> {
  const rollout = world.cells.rollout(status.version);
  const { waitingFor } = status;
  if (waitingFor?.kind === 'approval' && waitingFor.ring !== undefined) {
    await tolerate(rollout.approveRing({ ...BY, ring: waitingFor.ring }));
  }
  const stuck = ringsToRetry(status);
  if (stuck.length === 0) return;
  const had = patience.get(status.version) ?? { retries: 0, lastMs: 0, givenUp: false };
  patience.set(status.version, had);
  if (plan.ending !== 'retry') {
    return tolerate(rollout.abort({ ...BY, ...(plan.ending === 'abort-rollback' ? { rollback: true } : {}) }));
  }
  if (Date.now() - had.lastMs < RETRY_EVERY_MS) return;
  had.lastMs = Date.now();
  had.retries += 1;
  if (had.retries > 1) await world.clearFaults();
  if (had.retries > MAX_RETRIES) {
    had.givenUp = true;
    return tolerate(rollout.abort(BY));
  }
  for (const ring of stuck) await tolerate(rollout.retryRing({ ...BY, ring }));
}

const isHalted = (ring: RolloutRing): boolean => ring.state === 'halted' && ring.inFlight === 0;

/** What failed in one ring may hold the package in another: then the wait tells which one to retry. */
function ringsToRetry({ rings, waitingFor }: PackageRolloutStatus): number[] {
  const told = waitingFor?.next.map((command) => /^cellctl retry --ring (\d+) /.exec(command)?.[1]) ?? [];
  const known = told.flatMap((ring) => (ring === undefined ? [] : [Number(ring)]));
  return [...new Set([...rings.filter(isHalted).map(({ ring }) => ring), ...known])];
}

function whatGoesOn(
  { rings, queue }: ClusterStatus,
  open: PackageRolloutStatus[],
  backs: PackageRollbackStatus[],
): string {
  const rollouts = open.map((s) => `${s.version} is ${s.state}, waiting for ${JSON.stringify(s.waitingFor)}`);
  const held = rings.flatMap((r) => (r.rollout ? [`ring ${r.ring} is held by ${r.rollout}, ${r.state}`] : []));
  const queued = queue.map((q) => `${q.version} queues for ring ${q.ring}: ${JSON.stringify(q.held)}`);
  const goingBack = backs.map((s) => `${s.version} is taken back, ${s.state}: ${JSON.stringify(s.waitingFor)}`);
  return [...rollouts, ...goingBack, ...held, ...queued].join('; ') || 'a job of AMP';
}
