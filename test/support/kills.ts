import type { Exchange } from './amp-proxy.js';
import type { Process } from './processes.js';
import type { LoggedJob, Stage } from './stage.js';

/** A worker that was killed, and what it left behind. */
export interface Kill {
  moment: string;
  killedAt: number;
  /** Jobs whose end nobody had been told of. */
  open: LoggedJob[];
  /** When the next worker polled. */
  backAt: number;
}

export interface Killer {
  /** Kills the worker when this passes on the wire to AMP, which is cut there, and starts the next one at once. */
  at(moment: string, isMoment: (exchange: Exchange) => boolean): Promise<void>;
  /** Kills the worker as soon as a look says so, and starts the next one at once. */
  when(moment: string, isMoment: () => Promise<boolean>): Promise<void>;
  /** All kills, once the last worker is up. */
  kills(): Promise<Kill[]>;
}

/** Kills one worker after the other, each with SIGKILL; begins with the one that runs. */
export function killerOf(stage: Stage, first: Process): Killer {
  let worker = first;
  let spawnedAt = 0;
  const kills: Promise<Kill>[] = [];
  const replace = (moment: string) => {
    const killedAt = Date.now();
    worker.kill('SIGKILL');
    worker = stage.spawnWorker();
    spawnedAt = Date.now();
    kills.push(noteKill(stage, moment, killedAt, worker));
  };
  const passing = async (moment: string, isMoment: (exchange: Exchange) => boolean) => {
    let isOver = false;
    stage.amp.watch((exchange) => {
      // What the worker before this one asked is nobody's any more.
      if (exchange.askedAt < spawnedAt || !isMoment(exchange)) return false;
      stage.amp.watch(null);
      replace(moment);
      isOver = true;
      return true;
    });
    await stage.until(moment, async () => isOver, PATIENCE_MS);
  };
  return {
    at: passing,
    when: async (moment, isMoment) => {
      await worker.up;
      await stage.until(moment, isMoment, PATIENCE_MS);
      replace(moment);
    },
    kills: () => Promise.all(kills),
  };
}

const PATIENCE_MS = 120_000;

async function noteKill(stage: Stage, moment: string, killedAt: number, next: Process): Promise<Kill> {
  const open = stillOpen(stage, await stage.jobs(), killedAt);
  return { moment, killedAt, open, backAt: await next.up };
}

/** How long after the next worker's start AMP was asked for a job that the killed one left; never: null. */
export function watchedAgainAfterMs(stage: Stage, kill: Kill, job: LoggedJob): number | null {
  const seen = stage.amp.passed.find(
    (e) => e.at >= kill.backAt && e.phase === 'answered' && jobsIn(e).some(({ id }) => id === job.id),
  );
  return seen ? seen.at - kill.backAt : null;
}

function stillOpen(stage: Stage, jobs: LoggedJob[], atMs: number): LoggedJob[] {
  const heard = stage.amp.passed.filter((e) => e.phase === 'answered' && !e.cut && e.at <= atMs);
  const over = new Set(heard.flatMap(jobsIn).flatMap(({ id, state }) => (FINAL.has(state) ? [id] : [])));
  return jobs.filter((job) => Date.parse(job.created_at) <= atMs && !over.has(job.id));
}

const FINAL = new Set(['succeeded', 'failed', 'canceled']);

/** The jobs that an answer of AMP tells of: the one asked for, or all of a tenant's. */
function jobsIn({ answer }: Exchange): { id: string; state: string }[] {
  const { id, state, jobs } = answer as { id?: string; state?: string; jobs?: { id: string; state: string }[] };
  if (jobs) return jobs;
  return id !== undefined && state !== undefined ? [{ id, state }] : [];
}

// ── moments on the wire ──────────────────────────────────────────────────────

/** The n-th of its kind from the moment on that somebody looks. */
export function nth(n: number, isOne: (exchange: Exchange) => boolean): (exchange: Exchange) => boolean {
  let seen = 0;
  return (exchange) => {
    if (!isOne(exchange)) return false;
    seen += 1;
    return seen === n;
  };
}

/** An order of this kind on its way to AMP (`asked`), or taken by AMP and not yet known to us (`answered`). */
export const order = (kind: string, phase: Exchange['phase']) => (e: Exchange) =>
  e.phase === phase && e.method === 'POST' && e.path === '/v1/jobs' && e.body.kind === kind;

/** A job's cancel on its way to AMP, or taken. */
export const cancel = (phase: Exchange['phase']) => (e: Exchange) =>
  e.phase === phase && e.method === 'POST' && e.path.endsWith('/cancel');

/** AMP's word on a job of this kind that it knows already: in this state, or in any. */
export const told = (kind: string, state?: string) => (e: Exchange) =>
  e.phase === 'answered' &&
  e.status === 200 &&
  e.answer.kind === kind &&
  (state === undefined || e.answer.state === state);

/** A cell is asked for its revision: it is being verified. */
export const verification = (e: Exchange) => e.phase === 'asked' && e.path.endsWith('/api/v4/metadata');

/** AMP is asked what a tenant runs. */
export const look = (e: Exchange) => e.phase === 'asked' && e.path.startsWith('/v1/tenants/');
