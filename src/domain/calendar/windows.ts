import { DateTime, IANAZone } from 'luxon';
import type { Day, DeployWindow } from '../../contract/calendar.js';
import { ALWAYS_OPEN, HORIZON_MS, type Windows } from './word.js';

/**
 * When deploy windows are open. A window is open while a clock on the wall of its time zone shows a time within it: an
 * hour that summer time leaves out opens nothing, and one that comes twice counts twice.
 *
 * Time zone data change with the engine, so no workflow may import this: an activity decides, and its word is recorded.
 */

const DAYS: Day[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_MS = 86_400_000;
const DAY_MINUTES = 24 * 60;
/** No zone changes its offset twice within so long. */
const OFFSET_STEP_MS = 6 * 3_600_000;

/** Open where a window of each list is; a list without any is open at all times. */
export function windowsOf(...lists: (DeployWindow[] | undefined)[]): Windows {
  const all = lists.flatMap((windows) => (windows && windows.length > 0 ? [windows] : []));
  if (all.length === 0) return ALWAYS_OPEN;
  const isOpen = (ms: number) => all.every((windows) => windows.some((window) => holds(window, ms)));
  // Time zones are slow to ask: what was found once serves those who ask on from there.
  let found = { fromMs: Number.POSITIVE_INFINITY, changes: [] as number[] };
  return {
    isOpen,
    changesAfter: (ms) => {
      const known = found.fromMs <= ms ? found.changes.find((change) => change > ms) : undefined;
      if (known !== undefined) return known;
      found = { fromMs: ms, changes: changesAfter(edges(all.flat(), ms), isOpen, ms) };
      return found.changes[0] ?? null;
    },
  };
}

/** Of the edges after an instant, in order, those at which it opens or closes. */
function changesAfter(edges: number[], isOpen: (ms: number) => boolean, ms: number): number[] {
  let open = isOpen(ms);
  return edges.filter((edge) => {
    const isChange = isOpen(edge) !== open;
    if (isChange) open = !open;
    return isChange;
  });
}

function holds({ days, from, to, timezone }: DeployWindow, ms: number): boolean {
  const { hour, minute, weekday } = DateTime.fromMillis(ms, { zone: timezone });
  const now = hour * 60 + minute;
  const isOn = (day: number) => days.includes(DAYS[(day + 7) % 7] as Day);
  const [begins, ends] = [minutesOf(from), minutesOf(to)];
  const [today, yesterday] = [weekday - 1, weekday - 2];
  if (begins < ends) return isOn(today) && now >= begins && now < ends;
  // Across midnight: what began yesterday ends today.
  return (isOn(today) && now >= begins) || (isOn(yesterday) && now < ends);
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

/** All instants after `ms` and within the horizon at which a window may open or close, in order. */
function edges(windows: DeployWindow[], ms: number): number[] {
  const zones = [...new Set(windows.map((w) => w.timezone))];
  const all = [
    ...windows.flatMap((window) => edgesOf(window, ms)),
    ...zones.flatMap((zone) => offsetChanges(zone, ms, ms + HORIZON_MS)),
  ];
  return [...new Set(all)].filter((edge) => edge > ms && edge <= ms + HORIZON_MS).sort((a, b) => a - b);
}

function edgesOf({ from, to, timezone }: DeployWindow, ms: number): number[] {
  const today = DateTime.fromMillis(ms, { zone: timezone });
  const found: number[] = [];
  for (let day = -1; day <= HORIZON_MS / DAY_MS + 1; day += 1) {
    const { year, month, day: date } = today.plus({ days: day });
    for (const time of [from, to]) found.push(...instantsOf({ year, month, day: date }, time, timezone));
  }
  return found;
}

/** When the clock shows this time on that day: once, or twice where an hour is doubled. One left out is none of these. */
function instantsOf(date: { year: number; month: number; day: number }, time: string, zone: string): number[] {
  const minutes = minutesOf(time);
  const day = minutes === DAY_MINUTES ? DateTime.fromObject(date, { zone: 'utc' }).plus({ days: 1 }) : null;
  const { year, month, day: on } = day ?? date;
  const clock = { year, month, day: on, hour: Math.floor((minutes % DAY_MINUTES) / 60), minute: minutes % 60 };
  return DateTime.fromObject(clock, { zone })
    .getPossibleOffsets()
    .map((found) => found.toMillis());
}

/** When the zone's clocks are put forward or back. */
function offsetChanges(name: string, fromMs: number, toMs: number): number[] {
  const zone = IANAZone.create(name);
  const offset = (ms: number) => zone.offset(ms);
  const found: number[] = [];
  for (let at = fromMs; at < toMs; at += OFFSET_STEP_MS) {
    let [before, after] = [at, at + OFFSET_STEP_MS];
    if (offset(before) === offset(after)) continue;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (offset(middle) === offset(before)) before = middle;
      else after = middle;
    }
    found.push(after);
  }
  return found;
}
