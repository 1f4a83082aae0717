import type { LedgerEntry, LedgerReport, Spread } from '../../src/contract/ledger.js';
import { COUNTED, reportOf } from '../../src/domain/ledger/report.js';
import type { LoggedJob } from '../../test/invariants/index.js';
import { median, round, sum } from '../support/bench.js';
import type { Diary, Typed } from './diary.js';
import type { ClusterRun } from './sizes.js';
import { monthOf, type SimulatedTime } from './time.js';
import type { Sample } from './watch.js';

const HOUR_MS = 3_600_000;

export interface Lived {
  time: SimulatedTime;
  days: number;
  entries: readonly LedgerEntry[];
  jobs: readonly LoggedJob[];
  samples: readonly Sample[];
  runs: readonly ClusterRun[];
  diary: Diary;
}

/** What `cellctl report` says of the year, the entries' instants as simulated ones. */
export function reportOfYear({ entries, time, days }: Lived): LedgerReport {
  const counted = entries.filter(({ act }) => COUNTED.includes(act)).map((entry) => simulated(entry, time));
  const instant = (day: number) => new Date(time.simulated(time.at(day))).toISOString();
  return reportOf(counted, { since: instant(0), until: instant(days) });
}

function simulated(entry: LedgerEntry, time: SimulatedTime): LedgerEntry {
  const instant = (real: string) => new Date(time.simulated(Date.parse(real))).toISOString();
  const { graduatedAt } = entry.facts ?? {};
  return {
    ...entry,
    at: instant(entry.at),
    ...(entry.tookMs === undefined ? {} : { tookMs: Math.round(time.hoursOf(entry.tookMs) * HOUR_MS) }),
    ...(typeof graduatedAt === 'string' ? { facts: { ...entry.facts, graduatedAt: instant(graduatedAt) } } : {}),
  };
}

/** The same for a person: hours and shares. */
export function deliveries(report: LedgerReport): Record<string, unknown> {
  return {
    packages: report.deployments.packages,
    rings: report.deployments.rings,
    cells: report.deployments.cells,
    ringsPerDay: report.deployments.perDay,
    leadTimeHours: Object.fromEntries(Object.entries(report.leadTime).map(([ring, s]) => [ring, hours(s)])),
    changeFailureRate: report.changeFailureRate,
    timeToRestoreHours: { ...hours(report.timeToRestore), open: report.timeToRestore.open },
    cellFailures: report.failures,
  };
}

const hours = ({ count, medianMs, p90Ms, longestMs }: Spread): Record<string, number | null> => {
  const h = (ms: number | null) => (ms === null ? null : round(ms / HOUR_MS, 1));
  return { count, median: h(medianMs), p90: h(p90Ms), longest: h(longestMs) };
};

/** From graduation to the end of the ring's last deployment, hours: the middle one, by ring and by AMP's own log. */
export function leadTimeByAmp({ jobs, diary, time, entries }: Lived, ringOf: (job: LoggedJob) => number | null) {
  const graduatedMs = new Map(diary.releases.filter((r) => r.graduated).map((r) => [r.version, r.atMs]));
  const converged = new Set(entries.filter((e) => e.act === 'converged').map((e) => `${e.ring} ${e.version}`));
  const lastMs = new Map<string, number>();
  for (const job of jobs) {
    const ring = ringOf(job);
    const key = `${ring} ${job.version}`;
    if (job.kind !== 'configure' || job.state !== 'succeeded' || !converged.has(key) || !job.finished_at) continue;
    lastMs.set(key, Math.max(lastMs.get(key) ?? 0, Date.parse(job.finished_at)));
  }
  const byRing: Record<string, number[]> = {};
  for (const [key, endMs] of lastMs) {
    const [ring = '', version = ''] = key.split(' ');
    const fromMs = graduatedMs.get(version);
    if (fromMs === undefined) continue;
    byRing[ring] = [...(byRing[ring] ?? []), time.hoursOf(endMs - fromMs)];
  }
  return Object.fromEntries(Object.entries(byRing).map(([ring, values]) => [ring, round(median(values), 1)]));
}

/** How many packages the outer rings were behind, as `CellCluster` said twice a day: mean and most, by quarter. */
export function driftOf({ samples, days }: Lived): Record<string, Record<string, unknown>> {
  const rings = [...new Set(samples.flatMap((s) => Object.keys(s.drift)))];
  return Object.fromEntries(
    rings.map((ring) => {
      const quarters = quartersOf(samples, days).map((of) => of.map((s) => s.drift[ring] ?? 0));
      return [ring, { meanByQuarter: quarters.map(mean), most: Math.max(0, ...quarters.flat()) }];
    }),
  );
}

const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : round(sum(values) / values.length, 2));

/** Four parts of the year, by the day of each. */
export function quartersOf<T extends { day: number }>(all: readonly T[], days: number): T[][] {
  return [0, 1, 2, 3].map((n) => all.filter(({ day }) => day >= (n * days) / 4 && day < ((n + 1) * days) / 4));
}

/** Acts by which a person answers to something that failed. */
const ANSWERS = ['retry', 'skip', 'abort', 'rollback', 'approve', 'override', 'cluster', 'brake', 'unblock'];

interface Setback {
  version: string;
  ring: number;
  cells: Set<string>;
  fromMs: number;
}

/**
 * Passes over outer rings in which a cell failed or which halted, and in how many of them nobody typed anything about that
 * package in that ring, or about such a cell: it went back, was tried again or got the next package by itself.
 */
export function setbacksOf({ entries, diary }: Lived): Record<string, unknown> {
  const setbacks = new Map<string, Setback>();
  for (const { act, version, ring, cell, at, facts } of entries) {
    const counts = (act === 'cellFailed' || act === 'halted') && facts?.perimeter !== true;
    if (!counts || version === undefined || ring === undefined) continue;
    const key = `${ring} ${version}`;
    const one = setbacks.get(key) ?? { version, ring, cells: new Set<string>(), fromMs: Date.parse(at) };
    setbacks.set(key, one);
    if (cell !== undefined) one.cells.add(cell);
  }
  const all = [...setbacks.values()];
  const byItself = all.filter((setback) => !diary.typed.some((typed) => answers(typed, setback)));
  const failed = entries.filter((e) => e.act === 'cellFailed' && e.facts?.perimeter !== true);
  const wentBack = failed.filter((e) => e.outcome === 'rolled-back');
  return {
    passes: all.length,
    withoutPerson: byItself.length,
    withoutPersonShare: share(byItself.length, all.length),
    cellFailures: failed.length,
    wentBackByThemselves: wentBack.length,
    wentBackShare: share(wentBack.length, failed.length),
  };
}

const share = (part: number, of: number): number | null => (of === 0 ? null : round(part / of, 3));

function answers({ verb, version, ring, cell, atMs, exit }: Typed, of: Setback): boolean {
  if (exit !== 0 || atMs < of.fromMs || !ANSWERS.includes(verb)) return false;
  if (cell !== undefined && of.cells.has(cell)) return true;
  return version === of.version && (ring === undefined || ring === of.ring);
}

/** What the operator typed, by command; those that were refused apart. */
export function typedOf({ diary, days }: Lived): Record<string, unknown> {
  const done = diary.typed.filter(({ exit }) => exit === 0);
  const byVerb = countBy(done.map(({ verb }) => verb));
  const refused = countBy(diary.typed.filter(({ exit }) => exit !== 0).map(({ verb }) => verb));
  return { total: done.length, perMonth: round((done.length / days) * (365 / 12), 1), byVerb, refused };
}

export function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/**
 * The lists that are to fill: each has its bound (docs/limits.md), and in a quiet year the last of them is full in autumn. And
 * what is told of a brake for an hour after it expired: all of this year is over within that.
 */
const MEMORIES = ['acts', 'ended', 'graduated', 'alerts', 'lately'];

const memoriesOf = ({ byField }: ClusterRun): number => MEMORIES.reduce((sum, field) => sum + (byField[field] ?? 0), 0);

/** Sizes of the cluster's runs: the largest, and those of each quarter in the middle. */
export function growthOf({ runs, samples, days }: Lived): Record<string, unknown> {
  // The last run is not over: its history says nothing of how large one becomes.
  const over = runs.slice(0, -1);
  const quarters = quartersOf(runs, days);
  const middle = (read: (run: ClusterRun) => number | null, all = quarters) =>
    all.map((of) => {
      const values = of.flatMap((run) => read(run) ?? []);
      return values.length === 0 ? null : Math.round(median(values));
    });
  const states = middle((run) => run.stateBytes);
  const others = middle((run) => (run.stateBytes === null ? null : run.stateBytes - memoriesOf(run)));
  const histories = middle((run) => run.historyBytes, quartersOf(over, days));
  const last = runs.at(-1);
  return {
    runs: runs.length,
    mostEvents: Math.max(...runs.map((run) => run.events)),
    largestHistoryBytes: Math.max(...runs.map((run) => run.historyBytes)),
    largestStateBytes: Math.max(...runs.map((run) => run.stateBytes ?? 0)),
    topologyBytes: last?.topologyBytes ?? null,
    stateBytesByQuarter: states,
    withoutMemoriesByQuarter: others,
    historyBytesByQuarter: histories,
    eventsByQuarter: middle((run) => run.events, quartersOf(over, days)),
    stateBytesByMonth: byMonth(runs),
    stateBytesOfFields: largestFields(last),
    stateGrowth: ratio(others[3], others[2]),
    historyGrowth: ratio(histories[3], histories[1]),
    statusMsByQuarter: quartersOf(samples, days).map((of) => round(median(of.map((s) => s.statusMs)), 1)),
    workerMbByQuarter: quartersOf(samples, days).map((of) => megabytes(of.map((s) => s.rss.worker ?? 0))),
    serverMbByQuarter: quartersOf(samples, days).map((of) => megabytes(of.map((s) => s.rss.server ?? 0))),
    queueByQuarter: quartersOf(samples, days).map((of) => mean(of.map((s) => s.queue))),
  };
}

const megabytes = (bytes: readonly number[]): number => Math.round(Math.max(0, ...bytes) / 2 ** 20);

const ratio = (of: number | null | undefined, to: number | null | undefined): number | null =>
  of && to ? round(of / to, 3) : null;

function byMonth(runs: readonly ClusterRun[]): Record<string, number> {
  const months: Record<string, number> = {};
  for (const { day, stateBytes } of runs) if (stateBytes !== null) months[monthOf(Math.floor(day))] = stateBytes;
  return months;
}

function largestFields(run: ClusterRun | undefined): Record<string, number> {
  const fields = Object.entries(run?.byField ?? {}).filter(([name]) => name !== 'topology');
  return Object.fromEntries(fields.sort(([, a], [, b]) => b - a).slice(0, 8));
}
