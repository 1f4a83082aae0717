import { factsOf } from './facts.js';
import type { ActRecord, Evidence, LoggedJob, SeenRing, SeenRollout, Violation } from './types.js';

/** Hand-made logs for the tests of the rules. Time is in seconds from the start of the log. */

export const V0 = '17.9.202502010900-0a1b2c3d4e5.5e4d3c2b1a0';
export const V1 = '17.10.202503180906-6a387d336a7.c1c3e017782';
export const V2 = '17.10.202503190906-7b387d336a7.d1c3e017782';

const START_MS = Date.parse('2026-12-01T10:00:00Z');
export const ms = (seconds: number): number => START_MS + seconds * 1_000;
export const at = (seconds: number): string => new Date(ms(seconds)).toISOString();

export type Fields = Record<string, unknown>;

export const cell = (id: string, more: Fields = {}): Fields => ({ id, tenant: `t-${id}`, ...more });

/** Ring 0 inside the perimeter with `qa`, ring 2 with `a1`, `a2`, ring 3 with `b1`; bake 10 s, grace period 20 s. */
export const topology = (more: Fields = {}, ofRing: Record<number, Fields> = {}): Fields => ({
  cluster: 'test',
  perimeter: 1,
  policy: { bakeTime: '10s', gracePeriod: '20s', pollInterval: '1s' },
  rings: [
    { ring: 0, policy: { onFailure: 'soft', postDeployMigrations: 'with-deploy' }, cells: [cell('qa')], ...ofRing[0] },
    { ring: 2, cells: [cell('a1'), cell('a2')], ...ofRing[2] },
    { ring: 3, cells: [cell('b1')], ...ofRing[3] },
  ],
  ...more,
});

let jobs = 0;

interface JobWords {
  cell: string;
  at: number;
  /** Seconds; null: not ended. */
  takes?: number | null;
  kind?: string;
  version?: string;
  from?: string | null;
  state?: string;
  /** It ended before it started. */
  neverStarted?: boolean;
  key?: string;
  more?: Partial<LoggedJob>;
}

/** A job; without further words a deployment of V1 over V0 that takes a second and succeeds. */
export function job(words: JobWords): LoggedJob {
  const { cell: id, takes = 1, kind = 'configure', version = V1, state = 'succeeded' } = words;
  jobs += 1;
  const from = words.from === undefined ? (kind === 'configure' ? V0 : V1) : words.from;
  return {
    id: `${kind}-${id}-${words.at}`,
    tenant: `t-${id}`,
    kind,
    version,
    from_version: from,
    state: takes === null ? 'running' : state,
    created_at: at(words.at),
    started_at: words.neverStarted ? null : at(words.at),
    finished_at: takes === null ? null : at(words.at + takes),
    idempotency_key: words.key ?? `ccc/test/pass/${id}/${kind}/${version}/${jobs}`,
    ...words.more,
  };
}

/** The key of a job whose pass began at this second, as run ids tell it. */
export function keyOfPass(seconds: number, cell: string, version = V1): string {
  const time = Math.round(ms(seconds)).toString(16).padStart(12, '0');
  return `ccc/test/${time.slice(0, 8)}-${time.slice(8)}-7222-8333-94a5b6c7d8e9/${cell}/configure/${version}/1`;
}

export const pdm = (words: JobWords): LoggedJob => job({ kind: 'post_deploy_migrations', ...words });
/** Back from V1 to V0. */
export const rollback = (words: JobWords): LoggedJob => job({ kind: 'rollback', version: V0, ...words });

/** An act, answered half a second after it was asked. */
export function act(name: string, seconds: number, payload: Fields = {}, more: Partial<ActRecord> = {}): ActRecord {
  return {
    act: name,
    version: V1,
    payload: { by: 'alice', ...payload },
    askedAt: ms(seconds),
    answeredAt: ms(seconds + 0.5),
    answer: null,
    ...more,
  };
}

export const graduated = (seconds = 0, version = V1): ActRecord => act('graduate', seconds, {}, { version });

export const ring = (number: number, more: Partial<SeenRing> = {}): SeenRing => ({
  ring: number,
  total: 1,
  converged: 1,
  inFlight: 0,
  pending: 0,
  startedAt: at(0),
  exceptions: [],
  ...more,
});

export const status = (more: Partial<SeenRollout> = {}): SeenRollout => ({
  state: 'converged',
  startedAt: at(0),
  finishedAt: at(1_000),
  rings: [],
  failures: [],
  ...more,
});

/** A log and what belongs to it; what is left out is empty, the topology the one above. */
export type Log = Omit<Partial<Evidence>, 'jobs'> & { jobs: LoggedJob[] };

/** What one rule makes of a log: the ids of the jobs that it names first, or what it says where it names none. */
export function judged(rule: (facts: ReturnType<typeof factsOf>) => Violation[], evidence: Log): string[] {
  const whole: Evidence = { topology: topology(), acts: [], ...evidence };
  return rule(factsOf(whole, { toleranceMs: 5, noticeMs: 3_000 })).map((v) => v.jobs[0] ?? v.message);
}
