import { once } from './once.js';
import { same } from './packages.js';
import { type RingRules, ringRules, type Topology } from './policy.js';
import type { ActRecord, Evidence, Leeway, LoggedJob, SeenAct, SeenRollout } from './types.js';

/** A job of the log with what the topology says of its tenant, and its instants as epoch milliseconds. */
export interface Job {
  id: string;
  tenant: string;
  cell: string;
  /** null: a tenant that no topology knows. */
  ring: number | null;
  kind: string;
  version: string;
  from: string | null;
  state: string;
  createdMs: number;
  startedMs: number | null;
  finishedMs: number | null;
  key: string | null;
  /** Its key says that the coordinator ordered it. */
  ours: boolean;
  /** It installs something, or runs migrations. */
  changes: boolean;
  /** A newer package, a chart, or PDM, ordered by the coordinator. */
  forward: boolean;
  log: LoggedJob;
}

export interface Act {
  act: string;
  version: string | null;
  payload: Record<string, unknown>;
  askedMs: number;
  /** null: no answer is known. */
  answeredMs: number | null;
  answer: unknown;
  /** It is known to have changed nothing. */
  refused: boolean;
}

export interface Facts {
  /** Oldest first. */
  jobs: Job[];
  /** In the order asked. */
  acts: Act[];
  topologies: Topology[];
  perimeter: number;
  statuses: Readonly<Record<string, SeenRollout>>;
  rollbacks: NonNullable<Evidence['rollbacks']>;
  cluster: Evidence['cluster'];
  leeway: Leeway;
}

export function factsOf(evidence: Evidence, leeway: Leeway): Facts {
  const kept = [evidence.cluster, ...Object.values(evidence.statuses ?? {})].flatMap((status) => status?.acts ?? []);
  const acts = evidence.acts.map((act) => readAct(act, kept, leeway)).sort((a, b) => a.askedMs - b.askedMs);
  const applied = appliedLater(acts);
  const topologies = [evidence.topology as Topology, ...applied.map(({ topology }) => topology)];
  const read = evidence.jobs.map((job) => readJob(job, topologies, applied, leeway));
  const jobs = ofTheirPass(read).sort((a, b) => a.createdMs - b.createdMs);
  return {
    jobs,
    acts,
    topologies,
    perimeter: Math.min(...topologies.map((t) => t.perimeter)),
    statuses: evidence.statuses ?? {},
    rollbacks: evidence.rollbacks ?? {},
    cluster: evidence.cluster,
    leeway,
  };
}

interface Applied {
  topology: Topology;
  /** Until its answer, what was there before may still be in force. */
  inForceMs: number;
}

const appliedLater = (acts: Act[]): Applied[] =>
  acts.flatMap(({ act, refused, payload, askedMs, answeredMs }) =>
    act === 'applyTopology' && !refused && payload.topology
      ? [{ topology: payload.topology as Topology, inForceMs: answeredMs ?? askedMs }]
      : [],
  );

/** Where nobody answered, the act may have been done all the same. */
const UNKNOWN_OUTCOME = /answer|reach|deadline|unavailable|timed? ?out/i;
/** So may one with an expiry, told as a signal before it and as an update after it: then it stands among the acts. */
const TOO_LATE = /instant in the future/;

function readAct(
  { act, version, payload, askedAt, answeredAt, answer, error }: ActRecord,
  kept: SeenAct[],
  { toleranceMs }: Leeway,
): Act {
  const { by, reason } = (payload ?? {}) as Partial<SeenAct>;
  const isOfThisCall = (at: string) => {
    const ms = Date.parse(at);
    return ms >= askedAt - toleranceMs && (answeredAt === null || ms <= answeredAt + toleranceMs);
  };
  const isKept = () =>
    kept.some((seen) => seen.act === act && seen.by === by && seen.reason === reason && isOfThisCall(seen.at));
  const mayBeDone = (why: string) => UNKNOWN_OUTCOME.test(why) || (TOO_LATE.test(why) && isKept());
  return {
    act,
    version,
    payload: (payload ?? {}) as Record<string, unknown>,
    askedMs: askedAt,
    answeredMs: error === undefined ? answeredAt : null,
    answer,
    refused: error !== undefined && !mayBeDone(error),
  };
}

/** Run ids are UUIDs; a key has that of the pass that ordered its job. */
const RUN_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** When the pass that ordered a job began, as its run id tells (UUID version 7, RFC 9562); null: it does not. */
export function passBegan({ key }: Job): number | null {
  const runId = RUN_ID.exec(key ?? '')?.[0].replaceAll('-', '') ?? '';
  return runId[12] === '7' ? Number.parseInt(runId.slice(0, 12), 16) : null;
}

/**
 * A pass keeps the cells that it had in flight when their ring lost them: what it orders for one that has just moved counts
 * in the ring of the pass, which its other jobs tell.
 */
function ofTheirPass(read: { job: Job; wasIn: number | null }[]): Job[] {
  const passOf = ({ key }: Job) => RUN_ID.exec(key ?? '')?.[0];
  const ringOf = new Map(read.flatMap(({ job, wasIn }) => (wasIn === job.ring ? [[passOf(job), job.ring]] : [])));
  return read.map(({ job, wasIn }) => {
    const pass = passOf(job);
    const isOfOldRing = wasIn !== job.ring && pass !== undefined && ringOf.get(pass) === wasIn;
    return isOfOldRing ? { ...job, ring: wasIn } : job;
  });
}

function readJob(
  log: LoggedJob,
  topologies: Topology[],
  applied: Applied[],
  { noticeMs }: Leeway,
): { job: Job; wasIn: number | null } {
  // A cell may have moved: it counts where it was by then.
  const placeAt = (atMs: number) => {
    const byThen = applied.filter(({ inForceMs }) => inForceMs <= atMs).map((a) => a.topology);
    return placeOf(log.tenant, [...byThen.reverse(), ...topologies]);
  };
  const place = placeAt(Date.parse(log.created_at));
  const wasIn = placeAt(Date.parse(log.created_at) - noticeMs)?.ring ?? null;
  const key = log.idempotency_key;
  const cell = place?.cell ?? log.tenant;
  // The contract: keys are made from cluster, pass, cell, kind, version and how often it was ordered.
  const parts = [topologies[0]?.cluster ?? '', cell, log.kind, log.version];
  const ours = key !== null && parts.every((part) => key.includes(part));
  const installs = log.kind === 'configure' || log.kind === 'rollback';
  const migrates = log.kind === 'post_deploy_migrations';
  const job = {
    id: log.id,
    tenant: log.tenant,
    cell,
    ring: place?.ring ?? null,
    kind: log.kind,
    version: log.version,
    // AMP has let PDM in because the cell ran this; what it says of the start may be what a hand has made of it since.
    from: migrates ? (log.expected_version ?? log.from_version) : log.from_version,
    state: log.state,
    createdMs: Date.parse(log.created_at),
    startedMs: msOrNull(log.started_at),
    finishedMs: msOrNull(log.finished_at),
    key,
    ours,
    changes: installs || migrates,
    forward: ours && (log.kind === 'configure' || migrates),
    log,
  };
  return { job, wasIn };
}

const msOrNull = (instant: string | null): number | null => (instant === null ? null : Date.parse(instant));

function placeOf(tenant: string, topologies: Topology[]): { cell: string; ring: number } | null {
  for (const { rings } of topologies) {
    for (const { ring, cells = [] } of rings) {
      const cell = cells.find((c) => c.tenant === tenant);
      if (cell) return { cell: cell.id, ring };
    }
  }
  return null;
}

export const isOuter = (facts: Facts, job: Job): boolean => job.ring !== null && job.ring > facts.perimeter;

const outerOnes = once((facts) => {
  const rings = facts.topologies.flatMap((t) => t.rings.map((r) => r.ring)).filter((n) => n > facts.perimeter);
  return [...new Set(rings)].sort((a, b) => a - b);
});
export const outerRings = (facts: Facts): number[] => outerOnes(facts, '');

const byCell = once((facts) => {
  const cells = new Map<string, Job[]>();
  for (const jobs of grouped(facts.jobs, (job) => job.cell)) cells.set(jobs[0]?.cell ?? '', jobs);
  return cells;
});

/** Jobs on one cell, oldest first. */
export const jobsOn = (facts: Facts, cell: string): Job[] => byCell(facts, '').get(cell) ?? [];

const done = once((facts, act) => facts.acts.filter((a) => a.act === act && !a.refused));

/** Acts of one kind that may have changed something, in the order asked. */
export const actsOf = (facts: Facts, act: string): Act[] => done(facts, act);

const doneFor = once((facts, key) => {
  const [act = '', version = ''] = key.split('\n');
  return actsOf(facts, act).filter((a) => a.version !== null && same(a.version, version));
});

/** Acts of one kind for one package that may have changed something, in the order asked. */
export const actsFor = (facts: Facts, act: string, version: string): Act[] => doneFor(facts, `${act}\n${version}`);

/** Whether such an act was asked for before an instant. */
export const askedBefore = (acts: Act[], ms: number, facts: Facts): boolean =>
  acts.some((a) => a.askedMs <= ms + facts.leeway.toleranceMs);

/** Whether such an act was asked for between two instants. */
export const askedBetween = (acts: Act[], fromMs: number, toMs: number, facts: Facts): boolean =>
  acts.some((a) => a.askedMs >= fromMs - facts.leeway.toleranceMs && a.askedMs <= toMs + facts.leeway.toleranceMs);

/** Whether such an act can have come into force between two instants: it does between being asked for and answered. */
export const inForceBetween = (acts: Act[], fromMs: number, toMs: number, { leeway }: Facts): boolean =>
  acts.some(
    ({ askedMs, answeredMs }) =>
      (answeredMs ?? Number.POSITIVE_INFINITY) >= fromMs - leeway.toleranceMs && askedMs <= toMs + leeway.toleranceMs,
  );

/** The lane that a package was graduated into. The same graduation again changes nothing, so the first one counts. */
export function laneOf(facts: Facts, version: string): string | null {
  const [first] = actsFor(facts, 'graduate', version);
  return (first?.payload.lane as string | undefined) ?? null;
}

export const rulesOf = (facts: Facts, ring: number, version: string): RingRules | null =>
  rulesIn(facts, `${ring}\n${(ring > facts.perimeter ? laneOf(facts, version) : null) ?? ''}`);

const rulesIn = once((facts, key) => {
  const [ring, lane] = key.split('\n');
  return ringRules(facts.topologies, Number(ring), lane || null);
});

/** The status of a package, however its version is spelled. */
export const statusOf = once<SeenRollout | null>(
  (facts, version) => Object.entries(facts.statuses).find(([v]) => same(v, version))?.[1] ?? null,
);

export const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 23);

/** A job in a few words. */
export const say = (job: Job): string =>
  `${job.id} (${job.kind} ${short(job.version)} on ${job.cell} in ring ${job.ring}, created ${clock(job.createdMs)})`;

/** A package without its shas. */
export const short = (version: string | null): string => version?.split('-')[0] ?? 'nothing';

/** What of a list belongs together, in the list's order. */
export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}
