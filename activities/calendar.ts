import type { Activities } from '../src/contract/activities.js';
import { windowsOf } from '../src/domain/calendar/windows.js';
import { nextOpenings, openingsOf, wordOf } from '../src/domain/calendar/word.js';

/** `readCalendar`: time zone data change with the engine, so what they say is said once, and recorded. See `Activities`. */
export const createReadCalendar =
  (now: () => number = Date.now): Activities['readCalendar'] =>
  async ({ windows: written, alsoWithin, freezes }) => {
    const [windows, at] = [windowsOf(written, alsoWithin), now()];
    return { ...wordOf(windows, freezes, at), openings: nextOpenings(openingsOf(windows, freezes), at) };
  };
