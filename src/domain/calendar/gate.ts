import type { Calendar, CalendarWait, CalendarWord, Waiver } from '../../contract/calendar.js';
import { CALENDAR_WAITS } from '../../contract/calendar.js';
import type { WaitingFor, WaitKind } from '../../contract/status.js';
import { ALWAYS_OPEN, wordOf } from './word.js';

/** Whether a calendar lets a package forward now, and what people are told where it does not. */

export interface Closing {
  kind: CalendarWait;
  detail: string;
  opensMs: number | null;
}

/** `unknown`: nobody has asked yet, or the word has run out; nothing begins on it. Null: nothing is in the way. */
export function closingOf(word: CalendarWord | null, waivers: Waiver[], now: number): Closing | 'unknown' | null {
  if (!isGood(word, now)) return 'unknown';
  const { freeze, window, opensMs } = word;
  if (freeze && !isWaived(waivers, 'freeze', now))
    return { kind: 'freeze', detail: `frozen: ${freeze.reason}`, opensMs };
  if (!window || isWaived(waivers, 'deploy-window', now)) return null;
  return { kind: 'deploy-window', detail: 'outside its deploy windows', opensMs };
}

/** Whether a word still counts. */
export const isGood = (word: CalendarWord | null, now: number): word is CalendarWord =>
  word !== null && now < word.untilMs;

/** Where time zones have no say, nobody needs to be asked. */
export const wordWithoutWindows = ({ windows, freezes }: Calendar, now: number): CalendarWord | null =>
  windows.length > 0 ? null : wordOf(ALWAYS_OPEN, freezes, now);

const isWaived = (waivers: Waiver[], wait: CalendarWait, now: number): boolean =>
  waivers.some((w) => w.wait === wait && (w.untilMs === null || now < w.untilMs));

export const isCalendarWait = (kind: WaitKind | null | undefined): kind is CalendarWait =>
  CALENDAR_WAITS.some((wait) => wait === kind);

/** The wait that a closed calendar makes, with the command that ends it. */
export function waitForOpening(
  closing: Closing | 'unknown',
  { ring, version, sinceMs }: { ring: number; version: string; sinceMs: number },
): WaitingFor {
  const since = new Date(sinceMs).toISOString();
  if (closing === 'unknown') {
    const detail = `the deploy windows of ring ${ring} are worked out`;
    return { kind: 'deploy-window', ring, since, detail, next: [] };
  }
  const { kind, detail, opensMs } = closing;
  return {
    kind,
    ring,
    since,
    ...(opensMs === null ? {} : { until: new Date(opensMs).toISOString() }),
    detail: opensMs === null ? `${detail}; no opening is known` : detail,
    next: [`cellctl override --wait ${kind} --ring ${ring} ${version} --reason "…"`],
  };
}

/** What a person's override of such a wait is worth: it ends with the opening that the wait named. */
export const waiverOf = (wait: CalendarWait, until: string | undefined): Waiver => ({
  wait,
  untilMs: until === undefined ? null : Date.parse(until),
});
