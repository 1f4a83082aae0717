import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DueQueue } from '../../src/simulator/due-queue.js';
import { parseDuration, readFlags, simulatorCommand } from '../../src/simulator/options.js';
import { compareVersions, inferredChart, revisionOf } from '../../src/simulator/packages.js';
import { jobDurationMs } from '../../src/simulator/random.js';
import { NEW, NEWER, OLD } from './amp-client.js';

test.each([
  [OLD, NEW, -1],
  [NEWER, NEW, 1],
  [NEW, NEW, 0],
  ['17.9.202502010900-ffffffffff1.0', '17.10.202402010900-00000000001.0', -1],
  ['17.10.0', NEW, -1],
  ['17.10.202503180906+6a387d336a7.c1c3e017782', NEW, 0],
])('%s compared with %s is %i', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
});

test('the revision is the first sha of a package, 11 digits of it', () => {
  expect(revisionOf(NEW)).toBe('6a387d336a7');
  expect(revisionOf('17.10.202503180906-6a387d336a7aaaa.c1c3e017782')).toBe('6a387d336a7');
});

test('a chart counts nine majors behind its package', () => {
  expect(inferredChart(NEW)).toBe('8.10.202503180906');
});

test('what is due comes out in order, whatever went in', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(20))), (times) => {
      const queue = new DueQueue<{ atMs: number; order: number }>();
      for (const [atMs, order] of times) queue.push({ atMs, order });
      const out: [number, number][] = [];
      for (let item = queue.takeDue(15); item; item = queue.takeDue(15)) out.push([item.atMs, item.order]);
      const expected = times.filter(([atMs]) => atMs <= 15).sort(([a, x], [b, y]) => a - b || x - y);
      expect(out).toEqual(expected);
    }),
  );
});

describe('the time of a job', () => {
  const times = (spread: number) =>
    Array.from({ length: 2001 }, (_, i) => jobDurationMs(1000, spread, 1, `key-${i}`)).sort((a, b) => a - b);

  test('its median is what was asked for, and a wider spread has a heavier tail', () => {
    const [narrow, wide] = [times(0.3), times(1)];
    for (const sorted of [narrow, wide]) expect(Math.abs((sorted[1000] as number) - 1000)).toBeLessThan(80);
    expect(narrow[1980] as number).toBeLessThan(2500);
    expect(wide[1980] as number).toBeGreaterThan(6000);
  });

  test('it depends on nothing but seed and key', () => {
    expect(jobDurationMs(1000, 0.3, 1, 'k')).toBe(jobDurationMs(1000, 0.3, 1, 'k'));
    expect(jobDurationMs(1000, 0.3, 2, 'k')).not.toBe(jobDurationMs(1000, 0.3, 1, 'k'));
    expect(jobDurationMs(0, 1, 1, 'k')).toBe(0);
  });
});

test.each([
  ['0', 0],
  ['500ms', 500],
  ['1.5s', 1500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['5', undefined],
  ['-1s', undefined],
  ['', undefined],
])('the duration %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

describe('the flags of the metrics', () => {
  const flags = (...more: string[]) => {
    const args = ['--topology', 'topology.yaml', '--port', '0', ...more];
    return readFlags(simulatorCommand().parse(args, { from: 'user' }).opts(), {});
  };

  test('are a whole day, and the quiet cells that the topology says, where nothing is asked', () => {
    expect(flags()).toMatchObject({ dayMs: 86_400_000, quiet: undefined });
  });

  test('are read', () => {
    expect(flags('--day', '10m', '--quiet', 'qa,cell-2')).toMatchObject({ dayMs: 600_000, quiet: ['qa', 'cell-2'] });
    expect(flags('--quiet', '')).toMatchObject({ quiet: [] });
  });

  test.each(['9s', '25h', 'short', ''])('refuse a day of %j', (day) => {
    expect(() => flags('--day', day)).toThrow(/--day: .*expected a duration from 10s to 24h/);
  });
});
