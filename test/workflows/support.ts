import { WorkflowNotFoundError } from '@temporalio/common';
import { expect, test } from 'vitest';
import { RejectedError } from '../../src/client/index.js';
import { packageRolloutId, versionOfPackageRolloutId } from '../../src/contract/ids.js';
import type { Problem } from '../../src/contract/problem.js';
import type { ClusterStatus, PackageRolloutStatus, RolloutRing } from '../../src/contract/status.js';
import { expectInvariants } from '../invariants/expect.js';
import { fleet, type Policy } from '../support/fleet.js';
import { asked, lookUntil } from '../support/patience.js';
import { type LoggedJob, newWorld, type World, type WorldOptions } from '../support/world.js';

export interface Scene extends Partial<Omit<WorldOptions, 'alertmanager'>> {
  /** Starts whatever alerts go to, and answers its address; by default they go to the log. */
  alertmanager?: () => Promise<string>;
  /** Cells by outer ring, `{2: 3}`; policies by ring; more fields of the topology. */
  rings?: Record<number, number>;
  policies?: Record<number, Policy>;
  more?: Record<string, unknown>;
  /** Time of an AMP job; without a spread, so that it can be counted on. */
  jobMs?: number;
  /** false: the test applies its topology itself. */
  apply?: boolean;
}

/** One test in a cluster of its own, beside the others of its file; ends by checking what must always hold. */
export function scenario(name: string, scene: Scene, body: (world: World) => Promise<void>, timeoutMs = 240_000): void {
  const { rings = { 2: 2 }, policies = {}, more = {}, jobMs = 50, apply = true, alertmanager, ...options } = scene;
  test.concurrent(
    name,
    async () => {
      const world = await newWorld({
        topology: fleet(rings, policies, more),
        ...options,
        alertmanager: (await alertmanager?.()) ?? null,
        simulator: { durationMs: jobMs, spread: 0, ...options.simulator },
      });
      try {
        if (apply) await world.apply();
        await body(world);
        // Many worlds share two cores: word of a failure may take its time to get round.
        await expectInvariants(world, { noticeMs: 10_000 });
      } finally {
        await world.close();
      }
    },
    timeoutMs,
  );
}

/** The status of a package once it fits; fails with the last one seen. */
export async function seen(
  world: World,
  version: string,
  fits: (status: PackageRolloutStatus) => unknown,
  timeoutMs = 90_000,
): Promise<PackageRolloutStatus> {
  let last: PackageRolloutStatus | null = null;
  const found = await lookUntil(async () => {
    last = await statusOrNull(world, version);
    return last !== null && fits(last) ? last : null;
  }, timeoutMs);
  if (found) return found;
  throw new Error(`waited ${timeoutMs} ms in vain for ${fits}; last seen: ${shown(last)}`);
}

/** The status of the newest run, or null where there is none yet. */
export async function statusOrNull(world: World, version: string): Promise<PackageRolloutStatus | null> {
  try {
    const handle = world.client.workflow.getHandle(packageRolloutId(version));
    return await asked(() => handle.query<PackageRolloutStatus>('status'));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** How the rollout of a package ended; waits for it without asking again and again. */
export async function ends(world: World, version: string, timeoutMs = 120_000): Promise<PackageRolloutStatus> {
  const handle = world.client.workflow.getHandle(packageRolloutId(version));
  const end = Date.now() + timeoutMs;
  try {
    return await world.client.withDeadline(end, () => handle.result() as Promise<PackageRolloutStatus>);
  } catch (error) {
    if (Date.now() < end) throw error;
    throw new Error(`${version} did not end within ${timeoutMs} ms: ${shown(await statusOrNull(world, version))}`);
  }
}

/** The cluster's status once it fits; fails with the last one seen. */
export async function clusterSeen(
  world: World,
  fits: (status: ClusterStatus) => unknown,
  timeoutMs = 90_000,
): Promise<ClusterStatus> {
  let last: ClusterStatus | null = null;
  const found = await lookUntil(async () => {
    last = await world.cells.cluster().status();
    return fits(last) ? last : null;
  }, timeoutMs);
  if (found) return found;
  throw new Error(`waited ${timeoutMs} ms in vain for ${fits}; last seen: ${shown(last)}`);
}

/** AMP's log once it fits. */
export async function jobsSeen(
  world: World,
  fits: (jobs: LoggedJob[]) => unknown,
  timeoutMs = 90_000,
): Promise<LoggedJob[]> {
  let jobs: LoggedJob[] = [];
  const found = await lookUntil(async () => {
    jobs = await world.jobs();
    return fits(jobs) ? jobs : null;
  }, timeoutMs);
  if (found) return found;
  throw new Error(`waited ${timeoutMs} ms in vain for ${fits}; AMP’s log: ${brief(jobs)}`);
}

const shown = (status: unknown): string => JSON.stringify(status, null, 1)?.slice(0, 6_000) ?? 'nothing';
const brief = (jobs: LoggedJob[]): string => jobs.map((j) => `${j.cell} ${j.kind} ${j.version} ${j.state}`).join('\n');

/** For loops that look again, and where the passing of time itself is what is tested. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const ringOf = (status: PackageRolloutStatus, ring: number): RolloutRing | undefined =>
  status.rings.find((r) => r.ring === ring);

/** The ring as the package sees it; fails where the package has not entered it. */
export function theRing(status: PackageRolloutStatus, ring: number): RolloutRing {
  const found = ringOf(status, ring);
  if (!found) throw new Error(`the package is not in ring ${ring}: ${shown(status)}`);
  return found;
}

export const exceptionOf = (status: PackageRolloutStatus, ring: number, cell: string) =>
  ringOf(status, ring)?.exceptions.find((e) => e.cell === cell);

/** When AMP took a job, and when it ended, in epoch ms; not a number where there is none. */
export const created = (job: LoggedJob | undefined): number => Date.parse(job?.created_at ?? '');
export const finished = (job: LoggedJob | undefined): number => Date.parse(job?.finished_at ?? '');

export const FORWARD = ['configure', 'post_deploy_migrations'];

/** Jobs that take a cell forward. */
export const forward = (jobs: LoggedJob[]): LoggedJob[] => jobs.filter((j) => FORWARD.includes(j.kind));

/** Jobs that took cells of outer rings forward to a package. */
export const toVersion = (jobs: LoggedJob[], version: string, kind = 'configure'): LoggedJob[] =>
  jobs.filter((j) => j.version === version && j.kind === kind);

/** Forward jobs created after an instant (epoch ms). */
export const forwardAfter = (jobs: LoggedJob[], atMs: number): LoggedJob[] =>
  forward(jobs).filter((j) => Date.parse(j.created_at) > atMs);

/** Most jobs of a kind that were under way at one moment. */
export function mostAtOnce(jobs: LoggedJob[]): number {
  const turns = jobs.flatMap((j) => [
    { at: Date.parse(j.created_at), by: 1 },
    { at: j.finished_at === null ? Number.POSITIVE_INFINITY : Date.parse(j.finished_at), by: -1 },
  ]);
  turns.sort((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  return turns.reduce((most, { by }) => {
    now += by;
    return Math.max(most, now);
  }, 0);
}

export interface TenantState {
  tenant: string;
  cell_id: string;
  version: string | null;
  chart_version: string | null;
  migrated_version: string | null;
  state: string;
  active_job: string | null;
}

/** What a cell really runs, whatever faults make AMP say. */
export async function cellNow(world: World, cell: string): Promise<TenantState> {
  const { tenants } = (await (await fetch(`${world.simulator.url}/state`)).json()) as { tenants: TenantState[] };
  const found = tenants.find((t) => t.cell_id === cell);
  if (!found) throw new Error(`no cell ${cell}`);
  return found;
}

/** Another tool brings a package to a cell. */
export async function deployedByOthers(world: World, cell: string, version: string): Promise<void> {
  const response = await fetch(`${world.simulator.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `others/${cell}/${version}` },
    body: JSON.stringify({
      tenant: `t-${cell}`,
      kind: 'configure',
      version,
      scope: 'application',
      post_deploy_migrations: 'skip',
    }),
  });
  expect(response.status).toBe(201);
  await world.until(`${cell} on ${version}`, async () => (await cellNow(world, cell)).version === version);
}

export const graduate = (world: World, version: string, more: Record<string, unknown> = {}) =>
  world.cells.rollout(version).graduate({ by: 'release-tools', ...more });

/** The problems that a rejection names; fails where the act was not rejected. */
export async function problemsOf(act: Promise<unknown>): Promise<Problem[]> {
  try {
    const answer = await act;
    throw new Error(`expected a rejection, was answered: ${shown(answer)}`);
  } catch (error) {
    if (error instanceof RejectedError) return error.problems;
    throw error;
  }
}

/** Rejected with one problem whose path is this. */
export async function expectRejected(act: Promise<unknown>, path: string): Promise<Problem> {
  const problems = await problemsOf(act);
  expect(problems.map((p) => p.path)).toContain(path);
  return problems.find((p) => p.path === path) as Problem;
}

/** Not kept among the acts: it is none. */
export const sendRaw = (world: World, id: string, name: string, payload: unknown): Promise<void> =>
  world.client.workflow.getHandle(id).signal(name, ...(payload === undefined ? [] : [payload]));

/** Sends a signal as it is, past the client's own types; kept among the acts as if the client had sent it. */
export async function rawSignal(world: World, workflowId: string, name: string, ...args: unknown[]): Promise<void> {
  const askedAt = Date.now();
  const version = versionOfPackageRolloutId(workflowId);
  world.acts.push({ act: name, version, payload: args[0], askedAt, answeredAt: null, answer: null });
  await world.client.workflow.getHandle(workflowId).signal(name, ...args);
}
