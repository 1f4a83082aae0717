import type { LedgerEntry, LedgerReport, ReportQuery, Spread } from '../../contract/ledger.js';
import { isNewer, isPackage, newest } from '../package-version.js';

/** The entries that a report counts. */
export const COUNTED = [
  ...['graduated', 'granted', 'converged', 'finished', 'halted', 'ended', 'cellFailed', 'cellMended'],
];

const DAY_MS = 24 * 3_600_000;

/** Counts entries of these acts, oldest first, into a report. What cannot be counted, such as a hand-made one, is left out. */
export function reportOf(entries: readonly LedgerEntry[], { since, until }: ReportQuery): LedgerReport {
  const counted = entries.filter(({ version }) => version !== undefined && isPackage(version)) as Counted[];
  const days = Math.max(1, Math.ceil((Date.parse(until) - Date.parse(since)) / DAY_MS));
  return {
    since,
    until,
    days,
    deployments: deploymentsOf(counted, days),
    leadTime: leadTimeOf(counted),
    changeFailureRate: changeFailureRateOf(counted),
    timeToRestore: timeToRestoreOf(counted),
    failures: failuresOf(counted),
    drift: driftOf(counted, since, until),
  };
}

type Counted = LedgerEntry & { version: string };

const ms = ({ at }: Pick<LedgerEntry, 'at'>): number => Date.parse(at);
const dayOf = (instantMs: number): string => new Date(instantMs).toISOString().slice(0, 10);
/** Of an outer ring; what only brought cells back to what their ring runs is no deployment. */
const isOuter = ({ facts }: LedgerEntry): boolean => facts?.perimeter !== true && facts?.reconciles === undefined;
const ofPass = ({ version, ring }: Pick<Counted, 'version' | 'ring'>): string => `${ring} ${version}`;

/** The first time that each ring came to each package: a retry, or a second look, is no second deployment. */
function convergences(entries: readonly Counted[]): Counted[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const isFirst = entry.act === 'converged' && isOuter(entry) && !seen.has(ofPass(entry));
    if (isFirst) seen.add(ofPass(entry));
    return isFirst;
  });
}

function deploymentsOf(entries: readonly Counted[], days: number): LedgerReport['deployments'] {
  const rings = convergences(entries);
  const byDay: Record<string, number> = {};
  for (const entry of rings) {
    const day = dayOf(ms(entry));
    byDay[day] = (byDay[day] ?? 0) + 1;
  }
  const cells = rings.reduce((sum, { facts }) => sum + (Number(facts?.cells) || 0), 0);
  const packages = new Set(rings.map(({ version }) => version)).size;
  return { packages, rings: rings.length, cells, perDay: round(rings.length / days), byDay };
}

/** Of packages that graduated within the time, too: of others it is not known since when they were on their way. */
function leadTimeOf(entries: readonly Counted[]): LedgerReport['leadTime'] {
  const graduatedAt = new Map<string, number>();
  for (const entry of entries) {
    if (entry.act !== 'graduated' || graduatedAt.has(entry.version)) continue;
    const said = Date.parse(String(entry.facts?.graduatedAt));
    graduatedAt.set(entry.version, Number.isNaN(said) ? ms(entry) : said);
  }
  const timesOf: Record<string, number[]> = {};
  for (const entry of convergences(entries)) {
    const from = graduatedAt.get(entry.version);
    if (from === undefined || entry.ring === undefined) continue;
    const times = timesOf[entry.ring] ?? [];
    timesOf[entry.ring] = [...times, ms(entry) - from];
  }
  return Object.fromEntries(Object.entries(timesOf).map(([ring, values]) => [ring, spreadOf(values)]));
}

function changeFailureRateOf(entries: readonly Counted[]): LedgerReport['changeFailureRate'] {
  const over = new Set(entries.filter((e) => isEnd(e) && isOuter(e)).map(ofPass));
  const failed = new Set(entries.filter((e) => isOuter(e) && isSetback(e)).map(ofPass));
  const passes = new Set([...over, ...failed]).size;
  return { passes, failed: failed.size, share: passes === 0 ? null : round(failed.size / passes) };
}

const isEnd = ({ act, ring }: LedgerEntry): boolean =>
  ring !== undefined && (act === 'converged' || act === 'finished');
const isSetback = ({ act, ring }: LedgerEntry): boolean =>
  ring !== undefined && (act === 'cellFailed' || act === 'halted');

/**
 * A cell that went back runs what it ran before: it was restored when it was back, `tookMs` after its deployment had
 * begun. Any other one is restored when it is mended, or when its ring converges without naming it.
 */
function timeToRestoreOf(entries: readonly Counted[]): LedgerReport['timeToRestore'] {
  const times: number[] = [];
  const open = new Map<string, { atMs: number; ring: number | undefined }>();
  for (const entry of entries) {
    const { act, cell, ring, outcome } = entry;
    if (act === 'cellFailed' && cell !== undefined) {
      if (outcome === 'rolled-back') {
        times.push(close(open, cell, ms(entry)) ?? entry.tookMs ?? 0);
      } else if (!open.has(cell)) {
        open.set(cell, { atMs: ms(entry), ring });
      }
    }
    if (act === 'cellMended' && cell !== undefined)
      times.push(...[close(open, cell, ms(entry))].flatMap((t) => t ?? []));
    if (act === 'converged') {
      const left = Array.isArray(entry.facts?.exceptions) ? entry.facts.exceptions : [];
      const mended = [...open].filter(([id, since]) => since.ring === ring && !left.includes(id));
      for (const [id] of mended) times.push(close(open, id, ms(entry)) ?? 0);
    }
  }
  return { ...spreadOf(times), open: open.size };
}

function close(open: Map<string, { atMs: number }>, cell: string, nowMs: number): number | null {
  const since = open.get(cell);
  open.delete(cell);
  return since ? nowMs - since.atMs : null;
}

function failuresOf(entries: readonly Counted[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { act, outcome = 'failed' } of entries) {
    if (act === 'cellFailed') counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** At the end of each day, and now: how many packages that had graduated by then are newer than the one a ring has. */
function driftOf(entries: readonly Counted[], since: string, until: string): LedgerReport['drift'] {
  const rings = new Set(entries.flatMap((e) => (e.act === 'converged' && isOuter(e) ? [e.ring ?? -1] : [])));
  const drift: LedgerReport['drift'] = Object.fromEntries([...rings].map((ring) => [ring, {}]));
  const onRing = new Map<number, string>();
  const graduated = new Set<string>();
  let at = 0;
  for (let day = startOfDay(Date.parse(since)); day < Date.parse(until); day += DAY_MS) {
    const endMs = Math.min(day + DAY_MS, Date.parse(until));
    for (let entry = entries[at]; entry && ms(entry) < endMs; entry = entries[++at])
      takeDrift(entry, onRing, graduated);
    for (const ring of rings) {
      const has = onRing.get(ring);
      if (has === undefined) continue;
      const behind = [...graduated].filter((version) => isNewer(version, has)).length;
      drift[ring] = { ...drift[ring], [dayOf(day)]: behind };
    }
  }
  return drift;
}

function takeDrift(entry: Counted, onRing: Map<number, string>, graduated: Set<string>): void {
  const { act, version, ring, outcome } = entry;
  if (act === 'graduated') graduated.add(version);
  if (act === 'ended' && (outcome === 'aborted' || outcome === 'rolled-back')) graduated.delete(version);
  if (act !== 'converged' || ring === undefined || !isOuter(entry)) return;
  onRing.set(ring, newest([version, ...(onRing.has(ring) ? [onRing.get(ring) as string] : [])]) ?? version);
}

const startOfDay = (instantMs: number): number => instantMs - (instantMs % DAY_MS);

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    medianMs: quantile(sorted, 0.5),
    p90Ms: quantile(sorted, 0.9),
    longestMs: sorted.at(-1) ?? null,
  };
}

/** The nearest rank: one of the values. */
const quantile = (sorted: readonly number[], share: number): number | null =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;

const round = (value: number): number => Math.round(value * 1_000) / 1_000;
