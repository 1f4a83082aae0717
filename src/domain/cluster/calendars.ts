import type { Calendar, CalendarWord } from '../../contract/calendar.js';
import type { WaitingFor } from '../../contract/status.js';
import { type Closing, closingOf, isGood, waitForOpening, wordWithoutWindows } from '../calendar/gate.js';
import { ALWAYS_OPEN, ANY_TIME, type Openings, openingsAmong, openingsOf } from '../calendar/word.js';
import { earliest } from '../instant.js';
import { calendarOf, hasLane, resolvePolicy, ringOf, type Topology } from '../topology/index.js';
import type { ClusterState, QueuedRequest } from './state.js';

/**
 * Deploy windows and freezes at the gate of a ring. What windows say an activity works out; until it has, and when its
 * word has run out, nobody is let in. A topology without windows asks nobody.
 */

interface Now {
  topology: Topology;
  now: number;
}

/**
 * A calendar is one topology's, and goes by the first ring and lane that have it: what one for all says is asked once, and
 * kept once.
 */
function calendarKey({ revision }: ClusterState, ring: number, lane: string | null, topology: Topology): string {
  const name = nameOf(ring, hasLane(topology, lane) ? lane : null);
  return `${revision}/${firstNames(topology).get(name) ?? name}`;
}

const nameOf = (ring: number, lane: string | null): string => `${ring}/${lane ?? ''}`;

const firstNamesOf = new WeakMap<Topology, Map<string, string>>();

/** For each ring and lane the first with the same calendar: worked out once for a topology. */
function firstNames(topology: Topology): Map<string, string> {
  const known = firstNamesOf.get(topology);
  if (known) return known;
  const lanes = [null, ...Object.keys(topology.lanes ?? {})];
  const names = topology.rings.flatMap(({ ring }) => lanes.map((lane) => ({ ring, lane, name: nameOf(ring, lane) })));
  const first = new Map<string, string>();
  const all = new Map<string, string>();
  for (const { ring, lane, name } of names) {
    // Freezes that are over count: a calendar keeps its name while time goes by.
    const written = JSON.stringify(calendarOf(topology, ring, lane, Number.NEGATIVE_INFINITY));
    if (!first.has(written)) first.set(written, name);
    all.set(name, first.get(written) ?? name);
  }
  firstNamesOf.set(topology, all);
  return all;
}

/** The calendar that this request goes by in a ring, null where any time is good: nothing holds a rollback. */
function calendarFor({ purpose, lane }: Going, ring: number, { topology, now }: Now): Calendar | null {
  // An empty ring has no gates.
  const isEmpty = (ringOf(topology, ring)?.cells.length ?? 0) === 0;
  return purpose === 'rollback' || isEmpty ? null : calendarOf(topology, ring, lane, now);
}

/** The same before a ring: one that is only observed is entered at any time, since nothing is done there. */
const gateFor = (request: Going, ring: number, at: Now): Calendar | null =>
  ringOf(at.topology, ring) && resolvePolicy(at.topology, ring, request.lane).mode === 'observe'
    ? null
    : calendarFor(request, ring, at);

/** What a calendar wants to know of a request. */
export type Going = Pick<QueuedRequest, 'purpose' | 'lane' | 'waivers'>;

/** Any package without a lane. */
const ANYBODY: Going = { purpose: 'deploy', lane: null };

/** What is known of a calendar now; null: it must be asked. */
function wordFor(state: ClusterState, key: string, calendar: Calendar, now: number): CalendarWord | null {
  const known = state.calendars?.[key] ?? null;
  return isGood(known, now) ? known : wordWithoutWindows(calendar, now);
}

/** Why a ring is shut for this request, or null. */
export function closingFor(state: ClusterState, request: Going, ring: number, at: Now): Closing | 'unknown' | null {
  const calendar = gateFor(request, ring, at);
  if (calendar === null) return null;
  const word = wordFor(state, calendarKey(state, ring, request.lane, at.topology), calendar, at.now);
  const waivers = request.waivers?.filter((w) => w.ring === ring) ?? [];
  return closingOf(word, waivers, at.now);
}

/** When the ring is open for this request, as far as that is known; null: nobody has asked yet. */
export function openingsFor(state: ClusterState, request: Going, ring: number, at: Now): Openings | null {
  const calendar = gateFor(request, ring, at);
  const isWaived = request.waivers?.some((w) => w.ring === ring && (w.untilMs === null || at.now < w.untilMs));
  if (calendar === null || isWaived) return ANY_TIME;
  if (calendar.windows.length === 0) return openingsOf(ALWAYS_OPEN, calendar.freezes);
  // A word that has run out says nothing of now: what it knew of later times still holds.
  const known = state.calendars?.[calendarKey(state, ring, request.lane, at.topology)]?.openings;
  return known ? openingsAmong(known) : null;
}

export function calendarWait(state: ClusterState, request: QueuedRequest, ring: number, at: Now): WaitingFor | null {
  const closing = closingFor(state, request, ring, at);
  return closing && waitForOpening(closing, { ring, version: request.version, sinceMs: request.sinceMs });
}

/** Whether no package without a lane may enter the ring now, as far as anybody has asked. */
export const isShut = (state: ClusterState, ring: number, at: Now): boolean =>
  closingFor(state, ANYBODY, ring, at) !== null;

/** What a pass is given of its calendar when it is let in. */
export function calendarEntry(
  state: ClusterState,
  request: QueuedRequest,
  ring: number,
  at: Now,
): { calendar?: Calendar; word?: CalendarWord } {
  const calendar = calendarFor(request, ring, at);
  const word = calendar && wordFor(state, calendarKey(state, ring, request.lane, at.topology), calendar, at.now);
  return { ...(calendar ? { calendar } : {}), ...(word ? { word } : {}) };
}

export interface CalendarToKeep {
  key: string;
  calendar: Calendar;
}

/**
 * Calendars that packages wait by at a ring, or that say whether a ring which is behind could have taken one, and when it
 * will, by each lane that is under way; `ask`: those of which nothing is known any more.
 * @param behind rings that lack a graduated package
 */
export function calendarsWaitedFor(
  state: ClusterState,
  behind: readonly number[],
  at: Now,
): { all: CalendarToKeep[]; ask: CalendarToKeep[] } {
  const waiting = state.queue.map((request) => ({ request: request as Going, ring: request.at }));
  const lanes = [...new Set(Object.values(state.rollouts).map(({ lane }) => lane))].filter((lane) => lane !== null);
  const going = [ANYBODY, ...lanes.filter((lane) => hasLane(at.topology, lane)).map((lane) => ({ ...ANYBODY, lane }))];
  const late = behind.flatMap((ring) => going.map((request) => ({ request, ring })));
  const all = [...waiting, ...late].flatMap(({ request, ring }) => {
    if (ring === null || !ringOf(at.topology, ring)) return [];
    const calendar = gateFor(request, ring, at);
    return calendar ? [{ key: calendarKey(state, ring, request.lane, at.topology), calendar }] : [];
  });
  const once = [...new Map(all.map((one) => [one.key, one])).values()];
  return { all: once, ask: once.filter(({ key, calendar }) => wordFor(state, key, calendar, at.now) === null) };
}

/** When something that is waited for may change; null: nothing waits for a calendar. */
export function nextChange(state: ClusterState, { all }: { all: CalendarToKeep[] }, now: number): number | null {
  const words = all.flatMap(({ key, calendar }) => wordFor(state, key, calendar, now) ?? []);
  return earliest(words.map(({ untilMs }) => untilMs));
}

/**
 * Words that nobody goes by any more are forgotten, and a word that has run out is where it is not `inUse`: what it knew of
 * later times holds until the next one is there. A pass that is let in takes its own with it.
 */
export function noteWord(
  state: ClusterState,
  key: string,
  word: CalendarWord,
  { now, inUse }: { now: number; inUse: ReadonlySet<string> },
): void {
  const ofNow = `${state.revision}/`;
  const known = Object.entries(state.calendars ?? {}).filter(
    ([of, one]) => of.startsWith(ofNow) && (inUse.has(of) || isGood(one, now)),
  );
  state.calendars = { ...Object.fromEntries(known), [key]: word };
}
