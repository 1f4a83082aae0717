import { Client, Connection } from '@temporalio/client';
import { expect } from 'vitest';
import { CellsClient, UnreachableError } from '../../src/client/index.js';
import { cellRolloutId, ringRolloutId } from '../../src/contract/ids.js';
import type { PackageRolloutStatus, RolloutRing } from '../../src/contract/status.js';
import { startSimulator, withSimulatorUrls } from '../../src/simulator/index.js';
import { evidenceOf, expectInvariants } from '../invariants/expect.js';
import { type ActRecord, recordActs } from './acts.js';
import { type AmpProxy, startAmpProxy } from './amp-proxy.js';
import { builtWorker } from './built-worker.js';
import { type ClusterPlace, claimPlace } from './clusters.js';
import { whatIsOpen } from './evidence.js';
import { lookUntil } from './patience.js';
import { type Process, spawnWorker } from './processes.js';
import type { LoggedJob, World } from './world.js';

export type { LoggedJob } from './world.js';

/** A cluster of its own whose workers are processes: a namespace, AMP with cells behind a proxy, and a client. */
export interface Stage {
  address: string;
  namespace: string;
  /** With the addresses that the workers see. */
  topology: Record<string, unknown>;
  client: Client;
  cells: CellsClient;
  acts: ActRecord[];
  amp: AmpProxy;
  /** Starts the cluster and waits until it has looked at every cell. */
  apply(): Promise<void>;
  spawnWorker(): Process;
  /** A worker process, from the moment on that it polls. */
  startWorker(): Promise<Process>;
  jobs(): Promise<LoggedJob[]>;
  tenants(): Promise<LoggedTenant[]>;
  fault(...faults: Record<string, unknown>[]): Promise<void>;
  clearFaults(): Promise<void>;
  status(version: string): Promise<PackageRolloutStatus>;
  /** One ring as a package sees it, once it is as wanted. */
  ring(version: string, ring: number, isAsWanted: (ring: RolloutRing) => boolean): Promise<RolloutRing>;
  /** Fails with what AMP and Temporal have open where it waits in vain. */
  until<T>(what: string, look: () => Promise<T | null | undefined | false>, timeoutMs?: number): Promise<T>;
  rolloutEnds(version: string, timeoutMs?: number): Promise<PackageRolloutStatus>;
  close(): Promise<void>;
}

export interface LoggedTenant {
  tenant: string;
  cell_id: string;
  version: string | null;
  migrated_version: string | null;
  active_job: string | null;
  ready: boolean;
}

export interface StageOptions {
  topology: Record<string, unknown>;
  /** Median time of a job. */
  durationMs?: number;
  /** A Temporal server of the test's own, and a namespace of it; else the shared one and a fresh namespace. */
  temporal?: { address: string; namespace: string };
  /** Where AMP and the cells really are, asked anew for every request; else they live in this process. */
  ampAt?: () => string;
}

const PATIENCE_MS = 120_000;
/** Workers come and go on a busy machine: no healthy cell is to miss its verification for that. */
const VERIFY_TIMEOUT = '20s';
/** So many of each worker's last lines are shown where something does not come. */
const WORDS = 5;

export async function openStage(options: StageOptions): Promise<Stage> {
  const { durationMs = 1000 } = options;
  const policy = { ...(options.topology.policy as object), verifyTimeout: VERIFY_TIMEOUT };
  const written = { ...options.topology, policy };
  const inside = options.ampAt
    ? null
    : await startSimulator({ topology: written as never, durationMs, spread: 0.2, seed: 7 });
  const ampAt = options.ampAt ?? (() => inside?.url ?? '');
  const amp = await startAmpProxy(ampAt);
  const topology = withSimulatorUrls(written as never, amp.url) as Record<string, unknown>;
  const claimed = options.temporal ? null : await claimPlace();
  const { address, namespace } = options.temporal ?? (claimed as ClusterPlace);
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace });
  const acts: ActRecord[] = [];
  const cells = recordActs(new CellsClient({ client, taskQueue: 'cells' }), acts);
  const workers: Process[] = [];
  const evidence = async () => [
    ...(await stage.jobs()).map((job) => `${job.created_at} ${job.id} ${job.kind} on ${job.cell} ${job.state}`),
    ...(await whatIsOpen(client)),
    ...workers.flatMap((worker) => worker.output.slice(-WORDS)),
  ];
  let isClosed = false;
  const main = await builtWorker();
  const stage: Stage = {
    address,
    namespace,
    topology,
    client,
    cells,
    acts,
    amp,
    apply: async () => {
      await cells.cluster().applyTopology({ topology, by: 'test', releaseColdStart: true });
      const looked = async () => (await cells.cluster().status()).waitingFor === null;
      await stage.until('the first look at every cell', looked);
    },
    spawnWorker: () => {
      const worker = spawnWorker({ main, address, namespace, ampUrl: amp.url });
      workers.push(worker);
      return worker;
    },
    startWorker: async () => {
      const worker = stage.spawnWorker();
      await worker.up;
      return worker;
    },
    jobs: async () => ((await ask(`${ampAt()}/log`)) as { jobs: LoggedJob[] }).jobs,
    tenants: async () => ((await ask(`${ampAt()}/state`)) as { tenants: LoggedTenant[] }).tenants,
    fault: async (...faults) => void (await ask(`${ampAt()}/faults`, faults)),
    clearFaults: async () => void (await fetch(`${ampAt()}/faults`, { method: 'DELETE' })),
    status: (version) => cells.rollout(version).status(),
    ring: (version, ring, isAsWanted) =>
      stage.until(`ring ${ring} to be as wanted`, async () => {
        const { rings } = await cells.rollout(version).status();
        return rings.find((r) => r.ring === ring && isAsWanted(r));
      }),
    until: (what, look, timeoutMs) => until(what, look, timeoutMs, evidence),
    rolloutEnds: (version, timeoutMs) =>
      stage.until(`the end of ${version}`, async () => ended(await cells.rollout(version).status()), timeoutMs),
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      for (const worker of workers) worker.kill('SIGKILL');
      await Promise.all(workers.map((worker) => worker.ended));
      await connection.close();
      await amp.close();
      await inside?.close();
      await claimed?.giveBack();
    },
  };
  return stage;
}

const ended = (status: PackageRolloutStatus) => status.finishedAt !== null && status;

async function vain(what: string, afterMs: number, evidence: () => Promise<string[]>): Promise<Error> {
  const lines = await evidence().catch((error: unknown) => [`and there is no evidence: ${error}`]);
  return new Error([`waited ${afterMs} ms in vain for ${what}`, ...lines].join('\n'));
}

async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  patienceMs = PATIENCE_MS,
  evidence: () => Promise<string[]>,
): Promise<T> {
  const found = await lookUntil(() => look().catch(patiently), patienceMs);
  if (found === null) throw await vain(what, patienceMs, evidence);
  return found;
}

/** A worker that was killed answers no query for a while. */
function patiently(error: unknown): null {
  if (error instanceof UnreachableError) return null;
  throw error;
}

async function ask(url: string, body?: unknown): Promise<unknown> {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url, body === undefined ? {} : post);
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
  return await response.json();
}

/** An act that goes past the client, recorded as the client's are. */
export async function recorded<T>(
  stage: Stage,
  { act, version, payload }: Pick<ActRecord, 'act' | 'version' | 'payload'>,
  call: () => Promise<T>,
): Promise<T> {
  const record: ActRecord = { act, version, payload, askedAt: Date.now(), answeredAt: null, answer: null };
  stage.acts.push(record);
  const answer = await call();
  Object.assign(record, { answer, answeredAt: Date.now() });
  return answer;
}

export const cellRun = (stage: Stage, cell: string) => stage.client.workflow.getHandle(cellRolloutId(cell));
export const ringRun = (stage: Stage, ring: number) => stage.client.workflow.getHandle(ringRolloutId(ring));

export const isUnderWay = ({ state }: { state: string }): boolean => state === 'queued' || state === 'running';
export const of = (jobs: LoggedJob[], kind: string): LoggedJob[] => jobs.filter((job) => job.kind === kind);

/** By AMP's own log: one job a key, and one for each thing that was to be done on a cell. */
export function expectNothingTwice(jobs: LoggedJob[]): void {
  expect(repeated(jobs.map((job) => job.idempotency_key))).toEqual([]);
  expect(repeated(jobs.map(({ cell, kind, version }) => `${kind} of ${version} on ${cell}`))).toEqual([]);
}

const repeated = (names: string[]): string[] => names.filter((name, i) => names.indexOf(name) !== i);

/** Contract section 7, by AMP's log. A job that fails while nobody is up is noticed late: `noticeMs`. */
export async function expectInvariantsOf(stage: Stage, noticeMs = 60_000): Promise<void> {
  await expectInvariants(await evidenceOf(stage as unknown as World), { noticeMs });
}

/** A rollout that everything survived: converged everywhere, each job asked for once, none cancelled. */
export async function expectConvergedOnce(stage: Stage, version: string, cells: number): Promise<LoggedJob[]> {
  const end = await stage.rolloutEnds(version, 120_000);
  expect(end).toMatchObject({ state: 'converged', failures: [] });
  const jobs = await stage.jobs();
  expectNothingTwice(jobs);
  expect(of(jobs, 'configure')).toHaveLength(cells);
  expect(of(jobs, 'post_deploy_migrations')).toHaveLength(cells);
  expect(jobs.filter((job) => job.state !== 'succeeded' || job.cancel_requested_at !== null)).toEqual([]);
  await expectInvariantsOf(stage);
  return jobs;
}
