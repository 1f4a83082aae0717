import { describe, expect, it } from 'vitest';
import { gateOf, gatesBefore } from '../../../src/domain/health/gates.js';
import type { Topology } from '../../../src/domain/topology/index.js';

const SIGNALS = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', slo: 0.005 } };
const LEGACY = { id: 'legacy', url: 'https://l.example', observe: true };
const cells = (ring: number, count = 2) =>
  Array.from({ length: count }, (_, i) => ({ id: `c${ring}-${i}`, tenant: `t${ring}-${i}`, url: 'https://c.example' }));
const topology = (more: Record<string, unknown> = {}): Topology =>
  ({
    cluster: 'test',
    perimeter: 1,
    health: { signals: SIGNALS },
    rings: [
      { ring: 0, policy: { onFailure: 'soft' }, cells: cells(0) },
      { ring: 1, deployedBy: 'external', health: { signals: SIGNALS }, cells: [LEGACY] },
      { ring: 2, policy: { failureBudget: '50%' }, cells: cells(2, 4) },
      { ring: 3, cells: cells(3, 500) },
    ],
    ...more,
  }) as unknown as Topology;

const gates = (ring: number, of = topology()) => gatesBefore(of, ring, Date.parse('2026-01-02T03:04:05Z'));

describe('the gates before a ring', () => {
  it('are the ring itself and all before it, but for soft ones, which block nothing', () => {
    expect(gates(3).map((gate) => gate.ring)).toEqual([1, 2, 3]);
  });

  it('inside the perimeter are the ring alone, soft or not', () => {
    expect(gates(0).map((gate) => gate.ring)).toEqual([0]);
  });

  it('ask cells that other tools deploy for their signals alone: they have no tenant', () => {
    expect(gates(2)[0]?.cells).toEqual([{ id: 'legacy', tenant: null, url: 'https://l.example', labels: undefined }]);
  });

  it('are for one ring alone what it is as a gate, soft or not', () => {
    const of = topology();
    const alone = of.rings.map((ring) => gateOf(of, ring, Date.parse('2026-01-02T03:04:05Z'))?.ring ?? null);
    expect(alone).toEqual([0, 1, 2, 3]);
  });

  it('bear as many unhealthy cells as the failure budget', () => {
    expect(gates(2).map((gate) => gate.bears)).toEqual([0, 2]);
  });

  it('bear of the cells that are asked the share that the budget bears of all', () => {
    const rings = [
      { ring: 2, policy: { failureBudget: '10%' }, cells: cells(2, 1_000) },
      { ring: 3, policy: { failureBudget: 60 }, cells: cells(3, 400) },
      { ring: 4, policy: { failureBudget: 1 }, cells: [{ ...cells(4)[0], quarantined: { reason: 'x' } }, cells(4)[1]] },
    ];
    expect(gates(4, topology({ rings })).map(({ cells: { length }, bears }) => [length, bears])).toEqual([
      [100, 10],
      [100, 15],
      [1, 1],
    ]);
  });

  it('ask at most a hundred cells of a ring, from all over it', () => {
    const [, , last] = gates(3);
    expect(last?.cells).toHaveLength(100);
    expect(last?.cells.at(-1)?.id).toBe('c3-495');
  });

  it('are not rings whose signals are all in shadow: nobody would ever know that they are healthy', () => {
    const shadow = { errors: { ...SIGNALS.errors, mode: 'shadow' } };
    const external = { deployedBy: 'external', cells: [LEGACY] };
    const rings = [
      { ...external, ring: 2, health: { signals: shadow } },
      { ...external, ring: 3, health: { signals: { ...shadow, apdex: SIGNALS.errors } } },
      { ring: 4, health: { signals: shadow }, cells: cells(4) },
    ];
    expect(gates(4, topology({ rings })).map((gate) => gate.ring)).toEqual([3]);
  });

  it('leave out cells that people took out, and rings in shadow or without signals', () => {
    const rings = [
      { ring: 2, cells: [{ ...cells(2)[0], quarantined: { reason: 'x' } }, cells(2)[1]] },
      { ring: 3, health: { mode: 'shadow' }, cells: cells(3) },
      { ring: 4, cells: cells(4) },
    ];
    expect(gates(4, topology({ rings })).map((gate) => [gate.ring, gate.cells.length])).toEqual([
      [2, 1],
      [4, 2],
    ]);
    expect(gates(4, topology({ rings, health: {} }))).toEqual([]);
    const external = [{ ring: 2, deployedBy: 'external', cells: [LEGACY] }, ...rings.slice(2)];
    expect(gates(4, topology({ rings: external })).map((gate) => gate.ring)).toEqual([4]);
  });
});
