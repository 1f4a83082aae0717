import { describe, expect, it } from 'vitest';
import { alertsOfCluster } from '../../../src/domain/alerts/cluster.js';
import { quarantineByTopology, quarantineCell } from '../../../src/domain/cluster/quarantine.js';
import { type ClusterState, newClusterState, newRingRecord } from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { problemOf } from '../../docs/cellctl.js';
import { argumentsOf } from '../../docs/shell.js';
import { cell, fleet } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const DAY = 86_400_000;
const by = { by: 'alice', reason: 'being rebuilt' };

function topologyWith(cells: object[]): Topology {
  const rings = [{ ring: 2, name: 'two', cells }];
  const coordination = { graduationExpectedEvery: '30d' };
  const parsed = parseTopology(fleet({}, {}, { rings, coordination }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

const TWO = topologyWith([cell('a'), cell('b')]);
const LAB = topologyWith([{ ...cell('a'), quarantined: { reason: 'lab' } }, cell('b')]);

function cluster(): ClusterState {
  const state = newClusterState();
  state.rings[2] = newRingRecord('two');
  return Object.assign(state, { cluster: 'test', perimeter: 1 });
}

const applied = (state: ClusterState, before: Topology | null, after: Topology, now: number) => {
  state.appliedAt = new Date(now).toISOString();
  quarantineByTopology(state, { before, after }, [], now);
};
const lasting = (state: ClusterState, topology: Topology, now: number) =>
  alertsOfCluster(state, state.alerts, topology, now).alerts.filter(({ name }) => name === 'QuarantineLasts');

describe('a quarantine that lasts for a day', () => {
  it('raises one alert for each ring, until the cells are back', async () => {
    const state = cluster();
    quarantineCell(state, { cell: 'a', ...by }, NOW);
    quarantineCell(state, { cell: 'b', ...by }, NOW + 1);
    alertsOfCluster(state, state.alerts, TWO, NOW);
    expect(alertsOfCluster(state, state.alerts, TWO, NOW).nextMs).toBe(NOW + DAY);
    expect(lasting(state, TWO, NOW + DAY - 1)).toEqual([]);
    const [alert, ...others] = lasting(state, TWO, NOW + DAY);
    expect(others).toEqual([]);
    expect(alert).toMatchObject({
      ...{ name: 'QuarantineLasts', severity: 's3', ring: 2, team: 'outer', startedAtMs: NOW + DAY },
      summary: '1 cells of ring 2 have been quarantined for more than a day',
      evidence: ['a, by alice: being rebuilt'],
      next: ['cellctl cluster status', 'cellctl readmit a --reason "…"'],
    });
    expect(lasting(state, TWO, NOW + DAY + 1)[0]?.evidence).toHaveLength(2);
    state.quarantined = {};
    expect(lasting(state, TWO, NOW + 2 * DAY)).toEqual([]);
  });

  it('is told of where the topology has it, too, with what ends it', async () => {
    const state = cluster();
    applied(state, TWO, LAB, NOW);
    expect(lasting(state, LAB, NOW + DAY - 1)).toEqual([]);
    const [alert] = lasting(state, LAB, NOW + DAY);
    expect(alert).toMatchObject({ ring: 2, evidence: ['a, by topology: lab'], startedAtMs: NOW + DAY });
    expect(alert?.next).toEqual(['cellctl cluster status', 'cellctl cluster apply FILE']);
    for (const line of alert?.next ?? []) expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
  });

  it('does not begin anew with each topology that has it', () => {
    const state = cluster();
    applied(state, TWO, LAB, NOW);
    applied(state, LAB, LAB, NOW + DAY / 2);
    expect(lasting(state, LAB, NOW + DAY)).toHaveLength(1);
    applied(state, LAB, TWO, NOW + DAY);
    applied(state, TWO, LAB, NOW + DAY);
    expect(lasting(state, LAB, NOW + DAY)).toEqual([]);
  });
});
