import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { formatDuration, parseDuration } from '../../src/domain/duration.js';

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['007s', 7_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    '5',
    's',
    '1.5h',
    '1h30m',
    '1h 30m',
    '-1s',
    '+1s',
    ' 1s',
    '1s\n',
    '1 s',
    '1S',
    '1w',
    '1ms',
    '1e3s',
    '12345678s',
  ])('is not %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test.each([
    [0, '0s'],
    [-5, '0s'],
    [Number.NaN, '0s'],
    [250, '250ms'],
    [1_999, '1s'],
    [45_000, '45s'],
    [5_400_000, '1h 30m'],
    [93_784_000, '1d 2h 3m 4s'],
    [3_630_000, '1h 30s'],
  ])('of %d ms is shown as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('is shown without loss from a second on', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (seconds) => {
        const parts = formatDuration(seconds * 1000).split(' ');
        expect(parts.reduce((sum, part) => sum + (parseDuration(part) ?? Number.NaN), 0)).toBe(seconds * 1000);
      }),
    );
  });
});
