import { windowsOf } from '../calendar/windows.js';
import { endOfWork, HORIZON_MS, openingsOf, type Windows } from '../calendar/word.js';
import { median } from '../health/numbers.js';
import { calendarOf, layeredPolicy, resolvePolicy, type Topology } from '../topology/index.js';
import { rollTimeMs } from './forecast.js';

/** Whether a topology is fast enough for a package a day. Knows time zones, so no workflow may import this. */

const DAY_MS = 24 * 3_600_000;

type ReadWindows = typeof windowsOf;

/** Windows are slow to look up: those that are written alike are looked at once, and what was found of them is kept. */
function once(read: ReadWindows): ReadWindows {
  const known = new Map<string, Windows>();
  return (...lists) => {
    const written = JSON.stringify(lists);
    const windows = known.get(written) ?? read(...lists);
    known.set(written, windows);
    return windows;
  };
}

/** What one package that begins at `fromMs` takes to pass through all outer rings at the least, ms. */
export function passageMs(
  topology: Topology,
  cellTime: (ring: number) => number | null,
  lane: string | null,
  fromMs: number,
  read: ReadWindows = windowsOf,
): number {
  const outer = topology.rings.filter((r) => r.ring > topology.perimeter && r.deployedBy !== 'external');
  let at = fromMs;
  for (const { ring, cells } of outer.sort((a, b) => a.ring - b.ring)) {
    const count = cells.filter(({ observe }) => !observe).length;
    if (count === 0) continue;
    const policy = resolvePolicy(topology, ring, lane, fromMs);
    const cellMs = cellTime(ring) ?? 0;
    // A freeze is no lasting trait of a topology.
    const { windows = [], alsoWithin } = calendarOf(topology, ring, lane, fromMs) ?? {};
    const openings = openingsOf(read(windows, alsoWithin), []);
    const convergedMs = endOfWork(openings, at, rollTimeMs(count, cellMs, policy), cellMs) ?? at + HORIZON_MS;
    at = convergedMs + policy.bakeTimeMs;
  }
  return at - fromMs;
}

/**
 * A word of warning where one package needs more than a day, so that a package a day piles up; null: it does not. Of seven
 * packages that begin a day apart the one in the middle counts: windows that leave out the weekend are no reason to warn.
 */
export function tooSlow(
  topology: Topology,
  cellTime: (ring: number) => number | null,
  lane: string | null,
  now: number,
  read: ReadWindows = windowsOf,
): string | null {
  const known = once(read);
  const week = [0, 1, 2, 3, 4, 5, 6].map((day) => passageMs(topology, cellTime, lane, now + day * DAY_MS, known));
  const ms = median(week);
  if (ms <= DAY_MS) return null;
  const hours = Math.round(ms / 3_600_000);
  return `one package needs ${hours} hours to pass all outer rings, ${byWhat(topology, cellTime, lane)}: with one a day they pile up`;
}

/** Where nothing was measured yet, what is written is enough to tell that it is too long. */
function byWhat(topology: Topology, cellTime: (ring: number) => number | null, lane: string | null): string {
  const outer = topology.rings.filter(({ ring, cells }) => ring > topology.perimeter && cells.length > 0);
  const isMeasured = outer.every(({ ring }) => cellTime(ring) !== null);
  const hasWindows = outer.some(({ ring }) => layeredPolicy(topology, ring, lane).deployWindows.length > 0);
  const written = hasWindows ? 'bakes and deploy windows' : 'bakes';
  return isMeasured ? `by what cells took so far${hasWindows ? ', and deploy windows' : ''}` : `for ${written} alone`;
}
