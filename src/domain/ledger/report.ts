import type { LedgerEntry, LedgerReport, ReportQuery, Spread } from '../../contract/ledger.js';
import { isNewer, isPackage, newest } from '../package-version.js';

/** What says where the rings stood when the time of a report began, and what had graduated by then. */
export const STANDS = { ofRings: 'converged', ofPackages: ['graduated', 'ended'] };

/** The entries that a report counts. */
export const COUNTED = [
  ...['graduated', 'granted', 'converged', 'finished', 'halted', 'ended', 'cellFailed', 'cellMended'],
];

const DAY_MS = 24 * 3_600_000;

/**
 * Counts entries of these acts, oldest first, into a report. What cannot be counted, such as a hand-made one, is left out.
 *
 * @param before what stood when the time began: on what each ring had last converged, which packages had graduated, and how they ended
 */
export function reportOf(
  entries: readonly LedgerEntry[],
  { since, until }: ReportQuery,
  before: readonly LedgerEntry[] = [],
): LedgerReport {
  const counted = countable(entries);
  const earlier = countable(before);
  const days = Math.max(1, Math.ceil((Date.parse(until) - Date.parse(since)) / DAY_MS));
  return {
    since,
    until,
    days,
    deployments: deploymentsOf(convergences(counted, earlier), days),
    leadTime: leadTimeOf(counted, earlier),
    changeFailureRate: changeFailureRateOf(counted),
    timeToRestore: timeToRestoreOf(counted),
    failures: failuresOf(counted),
    drift: driftOf(counted, earlier, { since, until }),
  };
}

type Counted = LedgerEntry & { version: string };

const countable = (entries: readonly LedgerEntry[]): Counted[] =>
  entries.filter((entry): entry is Counted => entry.version !== undefined && isPackage(entry.version));

const ms = ({ at }: Pick<LedgerEntry, 'at'>): number => Date.parse(at);
const dayOf = (instantMs: number): string => new Date(instantMs).toISOString().slice(0, 10);
/** Of an outer ring; what only brought cells back to what their ring runs is no deployment. */
const isOuter = ({ facts }: LedgerEntry): boolean => facts?.perimeter !== true && facts?.reconciles === undefined;
const ofPass = ({ version, ring }: Pick<Counted, 'version' | 'ring'>): string => `${ring} ${version}`;

/** The first time that each ring came to each package: a retry, or a second look, is no second deployment. */
function convergences(entries: readonly Counted[], earlier: readonly Counted[]): Counted[] {
  const seen = new Set(earlier.filter(({ act }) => act === 'converged').map(ofPass));
  return entries.filter((entry) => {
    const isFirst = entry.act === 'converged' && isOuter(entry) && !seen.has(ofPass(entry));
    if (isFirst) seen.add(ofPass(entry));
    return isFirst;
  });
}

function deploymentsOf(rings: readonly Counted[], days: number): LedgerReport['deployments'] {
  const byDay: Record<string, number> = {};
  for (const entry of rings) {
    const day = dayOf(ms(entry));
    byDay[day] = (byDay[day] ?? 0) + 1;
  }
  const cells = rings.reduce((sum, { facts }) => sum + (Number(facts?.cells) || 0), 0);
  const packages = new Set(rings.map(({ version }) => version)).size;
  return { packages, rings: rings.length, cells, perDay: round(rings.length / days), byDay };
}

/** Of a package whose graduation is not known, it is not known either since when it was on its way. */
function leadTimeOf(entries: readonly Counted[], earlier: readonly Counted[]): LedgerReport['leadTime'] {
  const graduatedAt = new Map<string, number>();
  for (const entry of [...earlier, ...entries]) {
    if (entry.act !== 'graduated' || graduatedAt.has(entry.version)) continue;
    const said = Date.parse(String(entry.facts?.graduatedAt));
    graduatedAt.set(entry.version, Number.isNaN(said) ? ms(entry) : said);
  }
  const timesOf: Record<string, number[]> = {};
  for (const entry of convergences(entries, earlier)) {
    const from = graduatedAt.get(entry.version);
    if (from === undefined || entry.ring === undefined) continue;
    const times = timesOf[entry.ring] ?? [];
    timesOf[entry.ring] = [...times, ms(entry) - from];
  }
  return Object.fromEntries(Object.entries(timesOf).map(([ring, values]) => [ring, spreadOf(values)]));
}

function changeFailureRateOf(entries: readonly Counted[]): LedgerReport['changeFailureRate'] {
  const over = new Set(entries.filter((e) => isEnd(e) && isOuter(e)).map(ofPass));
  const failed = new Set(entries.filter((e) => isOuter(e) && (isSetback(e) || isReturn(e))).map(ofPass));
  const passes = new Set([...over, ...failed]).size;
  return { passes, failed: failed.size, share: passes === 0 ? null : round(failed.size / passes) };
}

const isEnd = ({ act, ring }: LedgerEntry): boolean =>
  ring !== undefined && (act === 'converged' || act === 'finished');
const isSetback = (entry: LedgerEntry): boolean =>
  entry.ring !== undefined && (hasFailed(entry) || entry.act === 'halted');
/** The package was taken back from the ring. */
const isReturn = ({ act, ring, facts }: LedgerEntry): boolean =>
  ring !== undefined && act === 'finished' && facts?.purpose === 'rollback';

/** A cell that was busy, or could not be reached, has not failed: the package never came to it. */
const NOT_TRIED: ReadonlySet<string> = new Set(['busy', 'unreachable']);
const hasFailed = ({ act, cell, outcome = '' }: LedgerEntry): boolean =>
  act === 'cellFailed' && cell !== undefined && !NOT_TRIED.has(outcome);

function timeToRestoreOf(entries: readonly Counted[]): LedgerReport['timeToRestore'] {
  const restores = new Restores();
  for (const entry of entries) restores.take(entry);
  return { ...spreadOf(restores.times), open: restores.open.size };
}

/**
 * A cell that went back runs what it ran before: it was restored when it was back, `tookMs` after its deployment had
 * begun. Any other one is restored when it is mended, when its ring converges without naming it, or when its package was
 * taken back from all of the ring; and a ring whose package a person takes back is restored when that is done.
 */
class Restores {
  readonly times: number[] = [];
  readonly open = new Map<string, { atMs: number; ring: number | undefined; version: string }>();
  /** Since when packages are being taken back. */
  private readonly takenBack = new Map<string, number>();

  take(entry: Counted): void {
    const { act, cell, outcome, version } = entry;
    if (hasFailed(entry) && cell !== undefined) this.failed(entry, cell);
    if (act === 'cellMended' && cell !== undefined) this.close(entry, [cell]);
    if (act === 'converged') this.converged(entry);
    if (act === 'finished') this.close(entry, namesIn(entry, 'mended') ?? []);
    if (act === 'ended' && outcome === 'rolled-back') this.takenBack.set(version, ms(entry));
    if (isReturn(entry) && isOuter(entry) && RETURNED.has(outcome ?? '')) this.returned(entry);
  }

  private failed(entry: Counted, cell: string): void {
    const { outcome, ring, version, tookMs } = entry;
    if (outcome !== 'rolled-back') {
      if (!this.open.has(cell)) this.open.set(cell, { atMs: ms(entry), ring, version });
    } else if (this.open.has(cell)) this.close(entry, [cell]);
    // A pass that took the place of a lost one does not know how long that took; the lost one said it.
    else if (tookMs !== undefined) this.times.push(tookMs);
  }

  /** Where not all of the cells are named that did not converge, any of them may be one of those. */
  private converged(entry: Counted): void {
    const exceptions = namesIn(entry, 'exceptions');
    if (exceptions !== null) this.close(entry, this.openIn(entry, exceptions));
  }

  private returned(entry: Counted): void {
    const asked = this.takenBack.get(entry.version);
    if (asked !== undefined) this.times.push(ms(entry) - asked);
    else if (entry.tookMs !== undefined) this.times.push(entry.tookMs);
    const left = [...this.open].filter(([, { version }]) => version !== entry.version).map(([cell]) => cell);
    this.close(entry, this.openIn(entry, left));
  }

  private openIn({ ring }: Counted, but: readonly string[]): string[] {
    return [...this.open].filter(([cell, since]) => since.ring === ring && !but.includes(cell)).map(([cell]) => cell);
  }

  private close(entry: Counted, cells: readonly string[]): void {
    for (const cell of cells) {
      const since = this.open.get(cell);
      if (since) this.times.push(ms(entry) - since.atMs);
      this.open.delete(cell);
    }
  }
}

/** Of a pass that took every cell back that it was to; `converged`: as older entries say it. */
const RETURNED: ReadonlySet<string> = new Set(['rolled-back', 'converged']);

/** Null: there are none, or too many for an entry. */
const namesIn = ({ facts }: LedgerEntry, fact: string): string[] | null => {
  const names = facts?.[fact];
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : null;
};

/** A pass that took the place of a lost one finds what failed, and says it again: by its job it is the same. */
function failuresOf(entries: readonly Counted[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const seen = new Set<string>();
  for (const { act, cell, jobId, outcome = 'failed' } of entries) {
    const word = `${cell} ${jobId} ${outcome}`;
    if (act !== 'cellFailed' || (jobId !== undefined && seen.has(word))) continue;
    seen.add(word);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** At the end of each day, and now: how many packages that had graduated by then are newer than the one a ring has. */
function driftOf(
  entries: readonly Counted[],
  earlier: readonly Counted[],
  { since, until }: ReportQuery,
): LedgerReport['drift'] {
  const rings = new Set(
    [...earlier, ...entries].flatMap((e) => (e.act === 'converged' && isOuter(e) ? [e.ring ?? -1] : [])),
  );
  const drift: LedgerReport['drift'] = Object.fromEntries([...rings].map((ring) => [ring, {}]));
  const onRing = new Map<number, string>();
  const graduated = new Set<string>();
  for (const entry of earlier) takeDrift(entry, onRing, graduated);
  let at = 0;
  for (let day = startOfDay(Date.parse(since)); day < Date.parse(until); day += DAY_MS) {
    const endMs = Math.min(day + DAY_MS, Date.parse(until));
    for (let entry = entries[at]; entry && ms(entry) < endMs; entry = entries[++at])
      takeDrift(entry, onRing, graduated);
    for (const [ring, byDay] of Object.entries(drift)) {
      const has = onRing.get(Number(ring));
      if (has === undefined) continue;
      byDay[dayOf(day)] = [...graduated].filter((version) => isNewer(version, has)).length;
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
