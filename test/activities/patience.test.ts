import { describe, expect, it } from 'vitest';
import { backoffMs, DEFAULT_PATIENCE, jittered, notBefore } from '../../activities/patience.js';

const MANY = 1_000;
const draws = (draw: () => number): number[] => Array.from({ length: MANY }, draw).sort((a, b) => a - b);
/** How many of the pauses end within the fullest tenth of the whole span. */
function mostAtOnce(pauses: number[]): number {
  const tenth = ((pauses.at(-1) ?? 0) - (pauses[0] ?? 0)) / 10;
  return Math.max(...pauses.map((from) => pauses.filter((ms) => ms >= from && ms <= from + tenth).length));
}

describe('when everything resumes at once', () => {
  it('what looks each interval comes back spread over four tenths of it, around the interval', () => {
    const pauses = draws(() => jittered(10_000));
    expect(pauses[0]).toBeGreaterThanOrEqual(8_000);
    expect(pauses.at(-1)).toBeLessThanOrEqual(12_000);
    expect(mostAtOnce(pauses)).toBeLessThan(MANY / 4);
  });

  it.each([1, 3, 20])('AMP is not asked by all again at one moment, at try %i', (tries) => {
    const pauses = draws(() => backoffMs(DEFAULT_PATIENCE, tries));
    expect(mostAtOnce(pauses)).toBeLessThan(MANY / 4);
    expect(pauses.at(-1)).toBeLessThanOrEqual(DEFAULT_PATIENCE.maxPauseMs * 1.2);
  });

  it.each([1_000, 30_000])('all who were told to stay away for %i ms come back after it, and not together', (asked) => {
    const pauses = draws(() => notBefore(asked, backoffMs(DEFAULT_PATIENCE, 1)));
    expect(pauses[0]).toBeGreaterThanOrEqual(asked);
    expect(mostAtOnce(pauses)).toBeLessThan(MANY / 4);
    expect((pauses.at(-1) ?? 0) - (pauses[0] ?? 0)).toBeGreaterThan(asked / 5);
    expect(pauses.at(-1)).toBeLessThanOrEqual(asked * 1.31);
  });

  it('who was not told to stay away waits as it would', () => {
    for (const asked of [null, 0]) expect(notBefore(asked, 700)).toBe(700);
  });

  it('each further try waits longer, up to a limit', () => {
    const middle = (tries: number) => draws(() => backoffMs(DEFAULT_PATIENCE, tries))[MANY / 2] ?? 0;
    expect(middle(2)).toBeGreaterThan(middle(1) * 1.5);
    expect(middle(20)).toBeLessThanOrEqual(DEFAULT_PATIENCE.maxPauseMs * 1.2);
  });
});
