import type { CalendarWord, Freeze, Opening } from '../../contract/calendar.js';
import { earliest, parseInstant } from '../instant.js';

/** What a calendar says at an instant, and for how long. Knows no time zones: what windows say it is given. */

/** So far ahead windows are looked at: any that opens at all does so within a week, or a week later where an hour is left out. */
export const HORIZON_MS = 15 * 86_400_000;

export interface Windows {
  isOpen(ms: number): boolean;
  /** When that changes next; null: not within the horizon. */
  changesAfter(ms: number): number | null;
}

/** No windows: any time is good. */
export const ALWAYS_OPEN: Windows = { isOpen: () => true, changesAfter: () => null };

interface Span {
  fromMs: number;
  untilMs: number;
  reason: string;
}

export function wordOf(windows: Windows, freezes: Freeze[], now: number): CalendarWord {
  const spans = spansOf(freezes);
  const frozen = freezeAt(spans, now);
  const open = windows.isOpen(now);
  const untilMs = windows.changesAfter(now);
  const freezesNext = spans.map(({ fromMs }) => fromMs).filter((ms) => ms > now);
  const ends = [now + HORIZON_MS, ...freezesNext, ...(frozen ? [frozen.untilMs] : [])];
  return {
    untilMs: earliest([...ends, ...(untilMs === null ? [] : [untilMs])]) ?? now,
    freeze: frozen && { untilMs: frozen.untilMs, reason: frozen.reason },
    window: open ? null : { untilMs },
    opensMs: frozen || !open ? nextOpening(windows, spans, now) : null,
  };
}

const spansOf = (freezes: Freeze[]): Span[] =>
  freezes.flatMap(({ from, to, reason }) => {
    const [fromMs, untilMs] = [parseInstant(from), parseInstant(to)];
    return fromMs === null || untilMs === null ? [] : [{ fromMs, untilMs, reason: reason ?? 'no reason given' }];
  });

/** Of several that hold the one that holds longest. */
function freezeAt(spans: Span[], ms: number): Span | null {
  const hold = spans.filter(({ fromMs, untilMs }) => fromMs <= ms && ms < untilMs);
  return hold.sort((a, b) => b.untilMs - a.untilMs)[0] ?? null;
}

/** From freeze to freeze and from window to window, until neither is in the way. */
function nextOpening(windows: Windows, spans: Span[], now: number): number | null {
  // Each freeze is left behind at its end, and between two of them there is at most one closed stretch to pass.
  for (let at = now, steps = 2 * spans.length + 2; steps > 0; steps -= 1) {
    const frozen = freezeAt(spans, at);
    if (frozen) {
      at = frozen.untilMs;
      continue;
    }
    if (windows.isOpen(at)) return at;
    const opensMs = windows.changesAfter(at);
    if (opensMs === null) return null;
    at = opensMs;
  }
  return null;
}

/** The first time open that ends after an instant; null: none is known. It may have begun before. */
export type Openings = (ms: number) => Opening | null;

export const ANY_TIME: Openings = (ms) => ({ fromMs: ms, toMs: null });

/** As far as windows and freezes say now. */
export function openingsOf(windows: Windows, freezes: Freeze[]): Openings {
  const spans = spansOf(freezes);
  return (ms) => {
    const fromMs = nextOpening(windows, spans, ms);
    if (fromMs === null) return null;
    const closesMs = windows.changesAfter(fromMs);
    const freezesNext = spans.map((span) => span.fromMs).filter((at) => at > fromMs);
    return { fromMs, toMs: earliest([...freezesNext, ...(closesMs === null ? [] : [closesMs])]) };
  };
}

/** So many are looked up: two weeks of working days, or a quarter of Mondays. */
const OPENINGS_AT_MOST = 14;

/** The next openings from now on, for somebody who knows no windows. */
export function nextOpenings(openings: Openings, now: number): Opening[] {
  const found: Opening[] = [];
  for (let at: number | null = now; at !== null && found.length < OPENINGS_AT_MOST; at = found.at(-1)?.toMs ?? null) {
    const opening = openings(at);
    if (opening === null) break;
    found.push(opening);
  }
  return found;
}

export const openingsAmong =
  (known: readonly Opening[]): Openings =>
  (ms) =>
    known.find(({ toMs }) => toMs === null || toMs > ms) ?? null;

/** More openings than these no work is followed through. */
const FOLLOWED_AT_MOST = 200;

/**
 * When work of so many ms is over that begins at `fromMs` at the soonest: nothing is begun outside an opening, and what was
 * begun within one, a piece of work of `pieceMs`, comes to its end. Null: it does not fit into the openings that are known.
 */
export function endOfWork(openings: Openings, fromMs: number, workMs: number, pieceMs: number): number | null {
  let [at, left] = [fromMs, workMs];
  for (let i = 0; i < FOLLOWED_AT_MOST; i += 1) {
    const opening = openings(at);
    if (opening === null) return null;
    at = Math.max(at, opening.fromMs);
    const room = opening.toMs === null ? Number.POSITIVE_INFINITY : opening.toMs - at + pieceMs;
    if (left <= room) return at + left;
    left -= room;
    at += room;
  }
  return null;
}
