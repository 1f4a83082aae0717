import { describe, expect, it } from 'vitest';
import type { BrakeStatus } from '../../../src/contract/status.js';
import { alertsOfBrakes } from '../../../src/domain/alerts/brakes.js';
import { problemOf } from '../../docs/cellctl.js';
import { argumentsOf } from '../../docs/shell.js';

const NOW = Date.parse('2025-03-18T12:00:00Z');
const MINUTE = 60_000;
const FACTS = { cluster: 'prod', version: null, perimeter: 1, now: NOW };

const brake = (more: Partial<BrakeStatus> = {}): BrakeStatus => ({
  brakeId: 'inc-4711',
  scope: 'outer',
  mode: 'finish-cells',
  by: 'alice',
  reason: 'looking into it',
  since: '2025-03-18T08:00:00.000Z',
  ...more,
});
const until = (ms: number) => ({ expiresAt: new Date(ms).toISOString() });
const names = (on: BrakeStatus[], lately: BrakeStatus[] = [], now = NOW) =>
  alertsOfBrakes(on, lately, { ...FACTS, now }).alerts.map(({ name }) => name);

describe('a brake', () => {
  it('raises an alert for as long as it is on, by its own name', () => {
    const { alerts, nextMs } = alertsOfBrakes([brake(), brake({ brakeId: 'other', scope: { ring: 1 } })], [], FACTS);
    expect(alerts).toMatchObject([
      { name: 'BrakeEngaged', severity: 's3', cluster: 'prod', brake: 'inc-4711', team: 'outer' },
      { name: 'BrakeEngaged', severity: 's3', brake: 'other', ring: 1, team: 'perimeter' },
    ]);
    expect(alerts[0]?.summary).toBe('brake inc-4711 stops the outer rings (finish-cells), by alice: looking into it');
    expect(nextMs).toBeNull();
    expect(names([])).toEqual([]);
  });

  it('of the coordinator is s1', () => {
    expect(alertsOfBrakes([brake({ by: 'coordinator' })], [], FACTS).alerts).toMatchObject([{ severity: 's1' }]);
  });

  it('is told of fifteen minutes before it expires, and then until it has', () => {
    const on = brake(until(NOW + 15 * MINUTE));
    expect(names([on], [], NOW - 1)).toEqual(['BrakeEngaged']);
    expect(alertsOfBrakes([on], [], { ...FACTS, now: NOW - 1 }).nextMs).toBe(NOW);
    expect(names([on])).toEqual(['BrakeEngaged', 'BrakeExpiring']);
  });

  it('that was meant to be short is not told of before it expires', () => {
    const since = new Date(NOW - MINUTE).toISOString();
    expect(names([brake({ since, ...until(NOW + 14 * MINUTE) })])).toEqual(['BrakeEngaged']);
  });

  it('that has expired is told of for an hour, or until it is engaged again', () => {
    const lately = [brake(until(NOW))];
    expect(alertsOfBrakes([], lately, FACTS)).toMatchObject({
      alerts: [{ name: 'BrakeExpired', severity: 's3', brake: 'inc-4711', startedAtMs: NOW }],
      nextMs: NOW + 60 * MINUTE,
    });
    expect(names([], lately, NOW + 60 * MINUTE)).toEqual([]);
    expect(names([brake()], lately)).toEqual(['BrakeEngaged']);
  });

  it.each<[string | null, BrakeStatus['scope']]>([
    [null, 'cluster'],
    [null, 'outer'],
    [null, { ring: 3 }],
    ['17.10.202503180906-6a387d336a7.c1c3e017782', 'package'],
  ])('of %s on %o names commands that can be typed', async (version, scope) => {
    const on = [brake({ scope, ...until(NOW + MINUTE) })];
    const off = [brake({ brakeId: 'other', scope, ...until(NOW - MINUTE) })];
    const { alerts } = alertsOfBrakes(on, off, { ...FACTS, version });
    expect(alerts).toHaveLength(3);
    for (const line of alerts.flatMap(({ next }) => next)) {
      expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
    }
  });
});
