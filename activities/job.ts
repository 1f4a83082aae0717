import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, JobFacts, JobOrder, JobReport, NotOrdered, TenantFacts } from '../src/contract/activities.js';
import { isFinishedJobState } from '../src/contract/amp.js';
import { FAILURE } from '../src/contract/failures.js';
import { z } from '../src/contract/zod.js';
import { sameVersion } from '../src/domain/package-version.js';
import { readinessOf } from './cell-answers.js';
import { type Heartbeat, heartbeating } from './heartbeat.js';
import { finishedByOurClock } from './job-end.js';
import { askAmp, backoffMs, jittered, notBefore, type Patience, pauseFor, retryAfterOf } from './patience.js';
import { type AmpDriver, AmpError, type AmpJob, type AmpTenant, type CellApi } from './ports.js';
import { isOurs, mismatchOf, orNull } from './tenants.js';

export interface JobDependencies {
  amp: AmpDriver;
  cells: CellApi;
  patience: Patience;
}

/** So many of a tenant's newest jobs are searched for a key: it runs one at a time, and ours is among the last. */
const SEARCHED_JOBS = 50;
/** A job is looked at each time it has grown older by this share, at the soonest; then the order's own interval rules. */
const FIRST_POLL_MS = 500;
const POLLED_SHARE = 1 / 10;
const CANCEL_POLL_MS = 1_000;
const SHORTEST_PAUSE_MS = 50;
/** How long a POST without an answer may still be on its way to AMP: so long its key is searched before it counts as lost. */
const STRAY_POST_MS = 2_000;

/** What one attempt leaves for the next in its heartbeats. */
const memorySchema = z.object({
  /** The job of this order's key, once known. */
  jobId: z.string().optional(),
  /** What the tenant ran just before the job was ordered. */
  before: z
    .object({
      version: z.string().nullable(),
      chartVersion: z.string().nullable(),
      migratedVersion: z.string().nullable(),
      previousVersion: z.string().nullable(),
      previousChartVersion: z.string().nullable(),
    })
    .optional(),
  /** The job was out of time, and its cancel has been asked for. */
  timingOut: z.boolean().optional(),
});
type Memory = z.infer<typeof memorySchema>;

/** `runJob`: orders one AMP job under its key and watches it until it ended. See `Activities`. */
export function createRunJob(dependencies: JobDependencies): Activities['runJob'] {
  return (order) => {
    const memory = memorySchema.safeParse(Context.current().info.heartbeatDetails).data ?? {};
    return heartbeating(
      () => memory,
      async (heart) => {
        const run = new JobRun(dependencies, order, memory, heart);
        return run.proceed().catch((error: unknown) => {
          if (!heart.cancelRequested()) throw error;
          return run.cancel();
        });
      },
    );
  };
}

/** One attempt at one order. */
class JobRun {
  readonly #amp: AmpDriver;
  readonly #cells: CellApi;
  #patience: Patience;
  readonly #order: JobOrder;
  readonly #memory: Memory;
  readonly #beat: () => void;
  /** What ends our waits; none any more once the cancel itself is being carried out. */
  #signal: AbortSignal | undefined;
  #job: AmpJob | null = null;
  /** A POST went out whose answer did not come. */
  #fateUnknown = false;

  constructor(dependencies: JobDependencies, order: JobOrder, memory: Memory, heart: Heartbeat) {
    this.#amp = dependencies.amp;
    this.#cells = dependencies.cells;
    this.#patience = dependencies.patience;
    this.#order = order;
    this.#memory = memory;
    this.#beat = heart.beat;
    this.#signal = heart.signal;
  }

  async proceed(): Promise<JobReport> {
    if (this.#order.cancelOnly) return this.#cancelByKnowledge();
    if (this.#memory.jobId !== undefined) return this.#watch(await this.#get(this.#memory.jobId));
    if (this.#order.findOnly) return this.#findAndWatch();
    const tenant = await this.#tenant();
    if (tenant === null) return this.#unknownTenant();
    const refusal = await this.#refusalOf(tenant);
    if (refusal === null) return this.#submit(tenant.facts);
    // Whatever speaks against ordering may be the work of this very order: its answer lost, its worker killed.
    const known = await this.#findByKey();
    return known ? this.#watch(known) : refusal();
  }

  /** Carries out a cancel that the workflow asked for: it outlasts AMP's troubles, and nothing interrupts it. */
  async cancel(): Promise<JobReport> {
    this.#signal = undefined;
    this.#patience = {
      ...this.#patience,
      totalMs: Math.max(this.#patience.totalMs, this.#order.cancelTimeoutMs),
    };
    return this.#cancelByKnowledge();
  }

  async #findAndWatch(): Promise<JobReport> {
    const known = await this.#findByKey();
    if (known) return this.#watch(known);
    return notOrdered('cancelled', 'nobody answers for it any more', await this.#facts());
  }

  // ── before the order ───────────────────────────────────────────────────────

  /** Why nothing may be ordered on this tenant now; null where it may. */
  async #refusalOf(tenant: AmpTenant): Promise<(() => JobReport | Promise<JobReport>) | null> {
    const { cell, ring, expectedVersion, requireReady } = this.#order;
    const { activeJob, facts } = tenant;
    const mismatch = mismatchOf(cell, ring, tenant);
    if (mismatch !== null) return () => notOrdered('mismatch', mismatch, facts);
    if (activeJob !== null) return () => this.#giveWay(activeJob);
    if (expectedVersion !== null && !sameVersion(facts.version, expectedVersion)) {
      return () => notOrdered('changed', `the tenant runs ${facts.version}, not ${expectedVersion}`, facts);
    }
    if (this.#isTooLate()) return () => this.#closed(facts);
    if (!requireReady) return null;
    const { state, detail } = await readinessOf(this.#cells, cell.url, this.#signal);
    return state === 'ready' ? null : () => notOrdered(state, detail, facts);
  }

  /**
   * Another job holds the tenant. What an older pass of ours ordered is adopted where it is the same work, and else waited
   * for, since nobody else may be left to; others are busy.
   */
  async #giveWay(jobId: string): Promise<JobReport> {
    const job = await this.#find(jobId);
    if (job !== null && this.#isThisWork(job)) return this.#watch(job);
    if (job !== null && (isFinal(job) || isOurs(this.#order.cluster, job))) return this.#afterOlder(job);
    return notOrdered('busy', `job ${jobId} of somebody else runs on the tenant`, await this.#facts());
  }

  #isThisWork(job: AmpJob): boolean {
    const { cluster, key, kind, version } = this.#order;
    return job.key === key || (isOurs(cluster, job) && job.kind === kind && sameVersion(job.version, version));
  }

  async #afterOlder(older: AmpJob): Promise<JobReport> {
    const sinceMs = Date.now();
    let job: AmpJob | null = older;
    while (job !== null && !isFinal(job)) {
      if (this.#timeLeftMs(job, sinceMs) <= 0) {
        return notOrdered('busy', `job ${job.id} of an older pass does not end`, await this.#facts());
      }
      await this.#pause(this.#order.pollIntervalMs);
      job = await this.#find(older.id);
    }
    const end = job?.state ?? 'unknown to AMP';
    return notOrdered('changed', `job ${older.id}, ordered earlier, is ${end}`, await this.#facts());
  }

  // ── the order ──────────────────────────────────────────────────────────────

  async #submit(before: TenantFacts): Promise<JobReport> {
    this.#memory.before ??= before;
    const answer = await this.#post().catch((error: unknown) => {
      if (error instanceof AmpError || error instanceof TooLate) return error;
      throw error;
    });
    if (answer instanceof TooLate) return this.#afterClosing(before);
    return answer instanceof AmpError ? this.#afterRefusal(answer) : this.#watch(answer);
  }

  #isTooLate(): boolean {
    const { notAfterMs } = this.#order;
    return notAfterMs !== undefined && Date.now() >= notAfterMs;
  }

  /** It closed while AMP was asked in vain: what of that has arrived is the order's job. */
  async #afterClosing(before: TenantFacts): Promise<JobReport> {
    const stray = await this.#findStray();
    return stray ? this.#watch(stray) : this.#closed(before);
  }

  #closed = (facts: TenantFacts): JobReport =>
    notOrdered('closed', 'the ring closed before its job was ordered', facts);

  /** POSTs until there is an answer, always the same body under the same key, so that it is one job. */
  async #post(): Promise<AmpJob> {
    const { key, kind, version, chartVersion, expectedVersion, scope, postDeployMigrations, reason } = this.#order;
    const { tenant } = this.#order.cell;
    const job = await this.#ask(() => {
      this.#signal?.throwIfAborted();
      if (this.#isTooLate()) throw new TooLate();
      this.#fateUnknown = true;
      // Without our signal: a POST that is cut off leaves a job behind that nobody knows of.
      return this.#amp.submitJob({
        key,
        tenant,
        kind,
        version,
        chartVersion,
        expectedVersion,
        scope,
        postDeployMigrations,
        reason,
      });
    });
    this.#adopt(job);
    return job;
  }

  /** AMP looked its keys up before it refused, so no job of ours exists; but for a 422, which may be about the key. */
  async #afterRefusal(error: AmpError): Promise<JobReport> {
    const { trouble } = error;
    if (trouble.kind === 'not-found') return this.#unknownTenant();
    if (trouble.kind === 'version-changed') return notOrdered('changed', error.message, await this.#facts());
    if (trouble.kind === 'busy') return this.#afterBusy(error, trouble.jobId);
    const known = await this.#findByKey();
    return known ? this.#watch(known) : notOrdered('refused', error.message, await this.#facts());
  }

  async #afterBusy(error: AmpError, named: string | null): Promise<JobReport> {
    const holder = named ?? (await this.#tenant())?.activeJob ?? null;
    if (holder !== null) return this.#giveWay(holder);
    return notOrdered('busy', error.message, await this.#facts());
  }

  // ── the watch ──────────────────────────────────────────────────────────────

  async #watch(found: AmpJob): Promise<JobReport> {
    const sinceMs = Date.now();
    this.#adopt(found);
    for (let job = found; ; job = await this.#get(job.id)) {
      if (isFinal(job)) return this.#report(job);
      const leftMs = this.#timeLeftMs(job, sinceMs);
      if (leftMs <= 0 || this.#memory.timingOut) return this.#timeOut(job);
      await this.#pause(Math.min(this.#pollPauseMs(job), leftMs));
    }
  }

  /** The cell's slot stands idle from its job's end until the next look: a quick job is looked at often, a long one rarely. */
  #pollPauseMs({ startedAt, createdAt, asOfMs }: AmpJob): number {
    const ageMs = asOfMs - Date.parse(startedAt ?? createdAt);
    const { pollIntervalMs } = this.#order;
    return Number.isNaN(ageMs)
      ? pollIntervalMs
      : Math.min(pollIntervalMs, Math.max(FIRST_POLL_MS, ageMs * POLLED_SHARE));
  }

  /** Post-deployment migrations are never cancelled: half of them is worse than late. */
  async #timeOut(job: AmpJob): Promise<JobReport> {
    if (this.#order.kind === 'post_deploy_migrations') return { outcome: 'timed-out', job: await this.#jobFacts(job) };
    this.#memory.timingOut = true;
    this.#beat();
    return this.#cancelJob(job.id);
  }

  /** By AMP's clock where the job says when it was created, else from the start of our watch; milliseconds. */
  #timeLeftMs(job: AmpJob, watchedSinceMs: number): number {
    const createdMs = Date.parse(job.createdAt);
    const ageMs = Number.isNaN(createdMs) ? Date.now() - watchedSinceMs : job.asOfMs - createdMs;
    return this.#order.jobTimeoutMs - ageMs;
  }

  // ── the cancel ─────────────────────────────────────────────────────────────

  async #cancelByKnowledge(): Promise<JobReport> {
    const jobId = this.#memory.jobId ?? (await this.#findStray())?.id;
    if (jobId !== undefined) return this.#cancelJob(jobId);
    const seen = await this.#facts().catch(() => null);
    return notOrdered('cancelled', 'cancelled before anything was ordered', seen);
  }

  /** The job of our key; where a POST's fate is unknown, looks until it must have arrived or is lost. */
  async #findStray(): Promise<AmpJob | null> {
    const untilMs = Date.now() + (this.#fateUnknown ? STRAY_POST_MS : 0);
    for (;;) {
      const job = await this.#findByKey();
      if (job !== null || Date.now() >= untilMs) return job;
      await this.#pause(STRAY_POST_MS / 4);
    }
  }

  async #cancelJob(jobId: string): Promise<JobReport> {
    this.#memory.jobId = jobId;
    this.#beat();
    const ended = await this.#cancelAndWait(jobId);
    if (ended !== null) return this.#report(ended);
    const last = this.#job?.id === jobId ? this.#job : null;
    return { outcome: 'cancel-unconfirmed', job: factsOf(jobId, last, last && (await this.#chartBefore(last, null))) };
  }

  /** Null where AMP has not said that the job ended within the order's time, for whatever reason. */
  async #cancelAndWait(jobId: string): Promise<AmpJob | null> {
    const untilMs = Date.now() + this.#order.cancelTimeoutMs;
    let asked = false;
    for (let troubles = 0; ; ) {
      let pauseMs = Math.min(CANCEL_POLL_MS, this.#order.pollIntervalMs);
      try {
        this.#job = await (asked ? this.#amp.getJob(jobId, this.#signal) : this.#amp.cancelJob(jobId, this.#signal));
        if (isFinal(this.#job)) return this.#job;
        asked = true;
        troubles = 0;
      } catch (error) {
        if (!(error instanceof AmpError)) throw error;
        troubles += 1;
        pauseMs = notBefore(retryAfterOf(error), backoffMs(this.#patience, troubles));
      }
      const leftMs = untilMs - Date.now();
      if (leftMs <= 0) return null;
      await pauseFor(Math.min(pauseMs, leftMs), this.#signal);
    }
  }

  // ── the report ─────────────────────────────────────────────────────────────

  async #report(job: AmpJob): Promise<JobReport> {
    const ended = finishedByOurClock(job);
    const facts = { ...(await this.#jobFacts(job)), ...(ended === null ? {} : { finishedMs: ended }) };
    if (job.state === 'succeeded' || job.state === 'failed') return { outcome: job.state, job: facts };
    return { outcome: this.#memory.timingOut ? 'timed-out' : 'canceled', job: facts };
  }

  async #jobFacts(job: AmpJob): Promise<JobFacts> {
    return factsOf(job.id, job, await this.#chartBefore(job, this.#tenant));
  }

  /** The chart that the tenant ran when the job began; null where nobody knows. */
  async #chartBefore(job: AmpJob, readTenant: (() => Promise<AmpTenant | null>) | null): Promise<string | null> {
    const { before } = this.#memory;
    if (before && (job.fromVersion === null || sameVersion(before.version, job.fromVersion)))
      return before.chartVersion;
    const facts = (await readTenant?.())?.facts;
    if (!facts) return null;
    if (sameVersion(facts.previousVersion, job.fromVersion)) return facts.previousChartVersion;
    return sameVersion(facts.version, job.fromVersion) ? facts.chartVersion : null;
  }

  #adopt(job: AmpJob): void {
    this.#job = job;
    this.#fateUnknown = false;
    if (this.#memory.jobId === job.id) return;
    this.#memory.jobId = job.id;
    if (!isFinal(job)) this.#beat();
  }

  // ── AMP, with patience ─────────────────────────────────────────────────────

  #ask<T>(ask: () => Promise<T>): Promise<T> {
    return askAmp(ask, {
      patience: this.#patience,
      signal: this.#signal,
      jobId: () => this.#memory.jobId ?? null,
    });
  }

  #tenant = (): Promise<AmpTenant | null> =>
    this.#ask(() => orNull(this.#amp.getTenant(this.#order.cell.tenant, this.#signal)));

  #facts = async (): Promise<TenantFacts | null> => (await this.#tenant())?.facts ?? null;

  #find = (id: string): Promise<AmpJob | null> => this.#ask(() => orNull(this.#amp.getJob(id, this.#signal)));

  async #get(id: string): Promise<AmpJob> {
    const job = await this.#find(id);
    if (job === null) {
      throw ApplicationFailure.nonRetryable(`AMP no longer knows job ${id}`, FAILURE.ampUnavailable, { jobId: id });
    }
    this.#job = job;
    return job;
  }

  async #findByKey(): Promise<AmpJob | null> {
    const { cell, key } = this.#order;
    const jobs = await this.#ask(() => orNull(this.#amp.listJobs(cell.tenant, SEARCHED_JOBS, this.#signal)));
    return jobs?.find((job) => job.key === key) ?? null;
  }

  #pause = (ms: number): Promise<void> => pauseFor(Math.max(SHORTEST_PAUSE_MS, jittered(ms)), this.#signal);

  #unknownTenant = (): JobReport =>
    notOrdered('unknown-tenant', `AMP knows no tenant ${this.#order.cell.tenant}`, null);
}

/** The time for ordering is over. */
class TooLate extends Error {}

const isFinal = (job: AmpJob): boolean => isFinishedJobState(job.state);

const notOrdered = (why: NotOrdered, detail: string, seen: TenantFacts | null): JobReport => ({
  outcome: 'not-ordered',
  why,
  detail,
  seen,
});

const factsOf = (id: string, job: AmpJob | null, fromChartVersion: string | null): JobFacts => ({
  id,
  fromVersion: job?.fromVersion ?? null,
  fromChartVersion,
  startedAt: job?.startedAt ?? null,
  finishedAt: job?.finishedAt ?? null,
  error: job?.error ?? null,
  logUrl: job?.logUrl ?? null,
});
