import type { Client } from '@temporalio/client';
import { packageRollbackId, packageRolloutId } from '../../src/contract/ids.js';
import type { ClusterStatus, PackageRollbackStatus, PackageRolloutStatus } from '../../src/contract/status.js';
import type { Topology } from '../../src/domain/topology/index.js';
import { type ActRecord, checkInvariants, type LoggedJob } from '../../test/invariants/index.js';
import type { SeenAct, SeenRollout } from '../../test/invariants/types.js';
import { statusOfRun } from '../../test/support/evidence.js';
import type { SimulatedTime } from './time.js';

/**
 * The rules look at every job beside every other one, so a year is judged a piece at a time: what happened in it, with as
 * much of what came before and after as a package takes to go through.
 */
const PIECE_DAYS = 14;
const BEFORE_DAYS = 28;
const AFTER_DAYS = 7;

/** A worker that was killed, or a server, hears late of a failure; ms. */
const LEEWAY = { toleranceMs: 50, noticeMs: 30_000 };

export interface Case {
  client: Client;
  jobs: readonly LoggedJob[];
  acts: readonly ActRecord[];
  /** The topology of the first day. */
  first: Topology;
  cluster: ClusterStatus;
  time: SimulatedTime;
  days: number;
}

/** What of contract section 7 did not hold in the whole year, by AMP's own log of jobs: sentences. */
export async function judgeYear(of: Case): Promise<string[]> {
  const statuses = await statusesOf(of.client, new Set(of.jobs.map((job) => job.version)));
  const found = new Set<string>();
  for (let day = 0; day < of.days; day += PIECE_DAYS) {
    for (const sentence of judgePiece(of, statuses, day)) found.add(sentence);
  }
  return [...found];
}

interface Statuses {
  rollouts: Record<string, SeenRollout>;
  rollbacks: Record<string, SeenAct[]>;
}

function judgePiece(of: Case, { rollouts, rollbacks }: Statuses, day: number): string[] {
  const { time, jobs, acts, cluster } = of;
  const [fromMs, toMs] = [time.at(day - BEFORE_DAYS), time.at(day + PIECE_DAYS + AFTER_DAYS)];
  const within = (ms: number) => ms >= fromMs && ms < toMs;
  const isOfPiece = (ms: number) => ms >= time.at(day) && ms < time.at(day + PIECE_DAYS);
  const seen = jobs.filter((job) => within(Date.parse(job.created_at)));
  const createdMs = new Map(seen.map((job) => [job.id, Date.parse(job.created_at)]));
  const violations = checkInvariants(
    {
      jobs: seen,
      topology: topologyAt(of, fromMs),
      // What a person said holds for as long as it takes; only of topologies the last one before the piece is in force.
      acts: acts.filter(({ act, askedAt }) => askedAt < toMs && (act !== 'applyTopology' || askedAt >= fromMs)),
      statuses: rollouts,
      rollbacks,
      cluster,
    },
    LEEWAY,
  );
  return violations
    .filter((v) => v.jobs.length === 0 || isOfPiece(createdMs.get(v.jobs[0] ?? '') ?? 0))
    .map(({ rule, message }) => `rule ${rule}: ${message}`);
}

function topologyAt({ acts, first }: Case, ms: number): unknown {
  const applied = acts.filter((a) => a.act === 'applyTopology' && a.error === undefined && a.askedAt < ms);
  return (applied.at(-1)?.payload as { topology?: unknown } | undefined)?.topology ?? first;
}

/** How the rollouts of these packages ended or stand, and what people did to their rollbacks. */
async function statusesOf(client: Client, versions: Iterable<string>): Promise<Statuses> {
  const statuses: Statuses = { rollouts: {}, rollbacks: {} };
  for (const version of versions) {
    const runs = await statusesOfRuns<PackageRolloutStatus>(client, packageRolloutId(version));
    const newest = runs.at(-1);
    if (newest) {
      const rings = new Map(runs.flatMap((s) => s.rings).map((ring) => [ring.ring, ring]));
      statuses.rollouts[version] = {
        ...newest,
        rings: [...rings.values()],
        acts: runs.flatMap((s) => s.acts),
        failures: runs.flatMap((s) => s.failures),
      };
    }
    const rollbacks = await statusesOfRuns<PackageRollbackStatus>(client, packageRollbackId(version));
    if (rollbacks.length > 0) statuses.rollbacks[version] = rollbacks.flatMap((s) => s.acts);
  }
  return statuses;
}

/** Of all runs under this id, the newest last; a run that was continued says nothing of its own. */
async function statusesOfRuns<T>(client: Client, workflowId: string): Promise<T[]> {
  const statuses: T[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    if (run.status.name === 'CONTINUED_AS_NEW') continue;
    const found = await statusOfRun<T>(client, run);
    if (found) statuses.unshift(found);
  }
  return statuses;
}
