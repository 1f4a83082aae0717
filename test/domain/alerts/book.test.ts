import { describe, expect, it } from 'vitest';
import type { Alert } from '../../../src/contract/activities.js';
import type { AlertBook } from '../../../src/contract/internal.js';
import { keyOf, nextRaise, together, toSay } from '../../../src/domain/alerts/book.js';

const NOW = 1_000_000;
const HOUR = 3_600_000;
const ALERT: Alert = { name: 'RingHalted', severity: 's2', cluster: 'prod', ring: 3, summary: 'halted', next: [] };
const KEY = keyOf(ALERT);

/** What is said, as words; what is said is then known to have arrived. */
function say(book: AlertBook, due: Alert[], now: number): string[] {
  const said = toSay(book, due, now);
  for (const [key, { resolved }] of said) {
    const entry = book[key];
    if (resolved) delete book[key];
    else if (entry) entry.saidAtMs = now;
  }
  return said.map(([, { name, resolved, startedAtMs }]) => `${name} ${resolved ? 'over' : 'on'} ${startedAtMs}`);
}

describe('an alert', () => {
  it('is raised when its cause appears, again each hour while that lasts, and resolved when it is gone', () => {
    const book: AlertBook = {};
    expect(say(book, [ALERT], NOW)).toEqual([`RingHalted on ${NOW}`]);
    expect(say(book, [ALERT], NOW + HOUR - 1)).toEqual([]);
    expect(nextRaise(book)).toBe(NOW + HOUR);
    expect(say(book, [ALERT], NOW + HOUR)).toEqual([`RingHalted on ${NOW}`]);
    expect(say(book, [], NOW + HOUR + 1)).toEqual([`RingHalted over ${NOW}`]);
    expect(say(book, [], NOW + HOUR + 2)).toEqual([]);
    expect(nextRaise(book)).toBeNull();
  });

  it('has one beginning, whatever is said of it later, and the newest words', () => {
    const book: AlertBook = {};
    say(book, [{ ...ALERT, startedAtMs: 5 }], NOW);
    const [[, again] = []] = toSay(book, [{ ...ALERT, summary: 'still', startedAtMs: 9 }], NOW + HOUR);
    expect(again).toMatchObject({ summary: 'still', startedAtMs: 5 });
  });

  it('whose arrival is not known is raised once more, and resolved where its cause is gone', () => {
    const book: AlertBook = {};
    expect(toSay(book, [ALERT], NOW)).toHaveLength(1);
    const carried = JSON.parse(JSON.stringify(book)) as AlertBook;
    expect(toSay(carried, [ALERT], NOW + 1)).toMatchObject([[KEY, { startedAtMs: NOW }]]);
    expect(toSay(book, [], NOW + 1)).toMatchObject([[KEY, { resolved: true, startedAtMs: NOW }]]);
  });

  it('named twice is one', () => {
    expect(toSay({}, [ALERT, { ...ALERT, summary: 'other words' }], NOW)).toMatchObject([[KEY, { summary: 'halted' }]]);
  });

  it.each<Partial<Alert>>([
    { name: 'NotConverged' },
    { severity: 's4' },
    { cluster: 'other' },
    { ring: 4 },
    { cell: 'cell-8' },
    { brake: 'inc-4711' },
    { version: 'V' },
    { team: 'outer' },
  ])('with %o is another one', (more) => {
    expect(keyOf({ ...ALERT, ...more })).not.toBe(KEY);
  });

  it('is looked at again when the first of several rooms needs that', () => {
    const rooms = [5, null, 3].map((nextMs) => ({ alerts: [ALERT], nextMs }));
    expect(together(...rooms)).toEqual({ alerts: [ALERT, ALERT, ALERT], nextMs: 3 });
  });
});
