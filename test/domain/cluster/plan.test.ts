import { describe, expect, it } from 'vitest';
import type { ClusterRing, ClusterStatus } from '../../../src/contract/status.js';
import { planPackage } from '../../../src/domain/cluster/plan-package.js';
import { planTopology, type TopologyPlan } from '../../../src/domain/cluster/plan-topology.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { cell, fleet, type Policy, V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const MIN = 60_000;

type Loose = Record<string, unknown> & { rings: { ring: number; cells: Record<string, unknown>[] }[] };

const written = (policies: Record<number, Policy> = {}, more = {}) => fleet({ 2: 3, 3: 2 }, policies, more) as Loose;

function parsed(topology: Loose): Topology {
  const result = parseTopology(topology);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.topology;
}

const ring = (of: number, more: Partial<ClusterRing> = {}): ClusterRing => ({
  ...{ ring: of, name: `ring-${of}`, desired: V1, observed: { [V1]: 3 }, converged: V1, total: 3, onDesired: 3 },
  ...{ state: 'converged', convergedAt: null, exceptions: [], exceptionsTotal: 0 },
  ...more,
});

const status = (more: Partial<ClusterStatus> = {}): ClusterStatus => ({
  ...{ cluster: 'test', topologyRevision: 1, perimeter: 1, rings: [ring(0), ring(2), ring(3)], brakes: [] },
  ...{ quarantined: [], blocked: [], graduated: [], queue: [], drift: { max: 0, byRing: {} } },
  ...{ autoDeploy: { state: 'running' as const }, notInForce: [], waitingFor: null, acts: [], rejected: [] },
  ...more,
});

const graduated = (version: string) => [{ version, graduatedAt: '', by: '', blocked: false, convergedAt: null }];

describe('a package', () => {
  const plan = (of: Partial<ClusterStatus> = {}, policies = {}, version = V2, more = {}) =>
    planPackage(status(of), parsed(written(policies, more)), { version, lane: null }, NOW);
  const at = (p: ReturnType<typeof plan>, number: number) => p.rings.find((r) => r.ring === number);
  const kinds = (p: ReturnType<typeof plan>, number: number) => at(p, number)?.gates.map(({ kind }) => kind);

  it('goes through the rings that we deploy, in order; inside the perimeter on command, beyond it graduated', () => {
    const p = plan();
    expect(p.rings.map((r) => r.ring)).toEqual([0, 2, 3]);
    expect(kinds(p, 0)).toEqual(['command']);
    expect(kinds(p, 2)).toEqual(['graduation']);
    expect(kinds(plan({ graduated: graduated(V2) }), 2)).toEqual([]);
    expect(p.refused).toEqual([]);
  });

  it('goes to first cells, then to the others; not to those that are out', () => {
    const quarantined = [{ cell: 'c2-2', by: 'ann', reason: 'disk', since: '' }];
    const exceptions = [{ cell: 'c2-3', state: 'busy' as const, reason: 'job' }];
    const p = plan({ quarantined, rings: [ring(2, { exceptions })] });
    expect(at(p, 2)?.cells).toEqual([
      { cell: 'c2-1', ring: 2, does: 'first', detail: '' },
      { cell: 'c2-3', ring: 2, does: 'deploy', detail: 'busy now: job' },
      { cell: 'c2-2', ring: 2, does: 'quarantined', detail: 'by ann: disk' },
    ]);
  });

  it('says what it would wait for: who holds the ring, brakes, approvals, windows, freezes', () => {
    const brake = {
      brakeId: 'b',
      scope: 'outer' as const,
      mode: 'finish-cells' as const,
      by: 'ann',
      reason: 'x',
      since: '',
    };
    const window = { days: ['mon'], from: '07:00', to: '18:00', timezone: 'Europe/Berlin' };
    const freeze = { from: '2026-01-01T00:00:00Z', to: '2026-01-05T00:00:00Z', reason: 'holidays' };
    const policies = { 2: { approval: 'required', deployWindows: [window], freezes: [freeze] } };
    const held = ring(2, { rollout: `package-rollout/${V1}`, state: 'rolling' });
    const p = plan({ brakes: [brake], rings: [held], graduated: graduated(V2) }, policies);
    expect(kinds(p, 2)).toEqual(['ring-turn', 'brake', 'approval', 'deploy-window', 'freeze']);
    expect(at(p, 2)?.gates.at(-1)?.detail).toContain('holidays');
    expect(kinds(p, 0)).toEqual(['command']);
  });

  it('names the windows of the ring, and those of the lane that must be open as well', () => {
    const window = { days: ['mon'], from: '07:00', to: '18:00', timezone: 'Europe/Berlin' };
    const ofLane = { ...window, from: '16:00', to: '20:00' };
    const topology = written({ 2: { deployWindows: [window] } }, { lanes: { late: { deployWindows: [ofLane] } } });
    const p = planPackage(status({ graduated: graduated(V2) }), parsed(topology), { version: V2, lane: 'late' }, NOW);
    expect(at(p, 2)?.gates.map(({ kind, detail }) => [kind, detail])).toEqual([
      ['deploy-window', 'mon 07:00–18:00 Europe/Berlin'],
      ['deploy-window', 'mon 16:00–20:00 Europe/Berlin'],
    ]);
  });

  it('a pause for drift holds what is new inside the perimeter', () => {
    expect(kinds(plan({ autoDeploy: { state: 'paused', reason: 'ring 3' } }), 0)).toEqual(['command', 'drift']);
  });

  it('says where it is refused, and where it has come already', () => {
    const p = plan({ rings: [ring(2, { desired: V2 }), ring(3)] }, {}, V1);
    expect(at(p, 2)).toMatchObject({ there: true, refused: { code: 'older_package' } });
    expect(at(p, 3)).toMatchObject({ there: true, refused: null });
    expect(plan({ graduated: graduated(V2) }, {}, V1).refused[0]).toContain('would not graduate');
    expect(plan({ blocked: [{ version: V2, by: 'ann', reason: 'INC-1', since: '' }] }).refused[0]).toContain('INC-1');
    expect(planPackage(status(), parsed(written()), { version: V2, lane: 'fast' }, NOW).refused).toEqual([
      'the topology has no lane fast',
    ]);
  });

  it('does not have what was taken back from a ring that had converged on it', () => {
    const back = ring(2, { observed: { [V0]: 3 }, desired: V0 });
    expect(at(plan({ rings: [back] }, {}, V1), 2)).toMatchObject({ there: false });
  });

  it('says of cells that run all the same what it would meet there', () => {
    const met = (runs: string) => at(plan({ rings: [ring(2, { observed: { [runs]: 3 } })] }), 2)?.cells[0];
    expect(met(V1)).toMatchObject({ does: 'first' });
    expect(met(V2)).toMatchObject({ does: 'keep', detail: 'it runs the package' });
    expect(met(V3)).toMatchObject({ does: 'keep', detail: `it runs ${V3}, a newer package` });
    const old = '17.8.202501010900-0a1b2c3d4e5.5e4d3c2b1a0';
    expect(met(old)).toMatchObject({ does: 'left-out', detail: expect.stringContaining('bring it to 17.9 first') });
    const mixed = at(plan({ rings: [ring(2, { observed: { [V1]: 1, [V3]: 1, [old]: 1 } })] }), 2);
    expect(mixed?.cells.map(({ does }) => does)).toEqual(['first', 'deploy', 'deploy']);
    expect(mixed?.notes).toEqual([
      `1 cells: keep, it runs ${V3}, a newer package`,
      expect.stringContaining('1 cells: left-out, upgrade-path: it runs'),
    ]);
  });

  it('says of each cell of a mixed ring what it meets, where those that run something else are named', () => {
    const elsewhere = (cell: string, runs: string) => ({ cell, state: 'failed' as const, reason: 'because', runs });
    const does = (of: Partial<ClusterRing>) => {
      const found = at(plan({ rings: [ring(2, of)] }), 2);
      return { cells: found?.cells.map((c) => c.does), notes: found?.notes.length };
    };
    const observed = { [V1]: 1, [V2]: 2 };
    const exceptions = [elsewhere('c2-2', V1)];
    expect(does({ observed, exceptions })).toEqual({ cells: ['keep', 'first', 'keep'], notes: 0 });
    const two = [elsewhere('c2-2', V1), elsewhere('c2-3', V3)];
    const ofThree = { [V1]: 1, [V2]: 1, [V3]: 1 };
    expect(does({ observed: ofThree, exceptions: two })).toEqual({ cells: ['keep', 'first', 'keep'], notes: 0 });
    // Where not all are named, who of the others runs what is not known.
    expect(does({ observed: ofThree, exceptions })).toEqual({ cells: ['first', 'deploy', 'deploy'], notes: 2 });
    // Who is named was seen on something else since.
    expect(does({ observed: { [V2]: 3 }, exceptions })).toEqual({ cells: ['keep', 'first', 'keep'], notes: 0 });
  });

  it('takes cells out of automation out of what the others run', () => {
    const out = { observed: { [V1]: 2, [V3]: 1 }, observedOut: { [V3]: 1 } };
    const quarantined = [{ cell: 'c2-3', by: 'ann', reason: 'flaky', since: '' }];
    const found = at(plan({ rings: [ring(2, out)], quarantined }), 2);
    expect(found?.cells.map(({ does }) => does)).toEqual(['first', 'deploy', 'quarantined']);
    expect(found?.notes).toEqual([]);
  });

  it('says when each ring should have it, and which is late', () => {
    const forecasts = [
      { ring: 2, version: V2, expectedAt: '2026-01-02T01:00:00Z' },
      { ring: 3, version: V2, unknown: 'brake b' },
    ];
    const of = status({ rings: [ring(2, { late: true }), ring(3)] });
    const p = planPackage(of, parsed(written()), { version: V2, lane: null }, NOW, forecasts);
    expect(at(p, 2)).toMatchObject({ expectedAt: '2026-01-02T01:00:00Z', late: true });
    expect(at(p, 3)).toMatchObject({ expectedAfter: 'brake b' });
    expect(at(p, 3)).not.toHaveProperty('late');
  });

  it('says how long each ring takes, by what cells took', () => {
    expect(at(plan(), 2)?.rollMs).toBeNull();
    const p = plan({ rings: [ring(2, { cellMs: 10 * MIN })] }, { 2: { maxParallel: 1, bakeTime: '30h' } });
    expect(at(p, 2)).toMatchObject({ rollMs: 30 * MIN, bakeMs: 30 * 60 * MIN, graceMs: 0 });
    expect(p.warnings[0]).toContain('needs 31 hours');
  });
});

describe('a topology', () => {
  const change = (how: (t: Loose) => void, of: Partial<ClusterStatus> = {}): TopologyPlan => {
    const after = structuredClone(written());
    how(after);
    return planTopology(parsed(written()), parsed(after), status(of), NOW);
  };
  const cells = (t: Loose, number: number) => t.rings.find((r) => r.ring === number)?.cells ?? [];
  const short = (p: TopologyPlan) => p.cells.map(({ cell: id, ring: r, does }) => `${id} ${r} ${does}`);

  it('that changes nothing says so', () => {
    expect(change(() => {})).toMatchObject({ refused: [], cells: [], warnings: [] });
  });

  it('quarantines cells that join, unless they say otherwise; then they are converged', () => {
    const p = change((t) => void cells(t, 2).push(cell('new-1'), { ...cell('new-2'), join: 'auto' }));
    expect(short(p)).toEqual(['new-1 2 quarantined', 'new-2 2 converge']);
    expect(p.cells[1]?.detail).toContain(V1);
  });

  it('takes cells along where nothing runs yet', () => {
    const empty = [ring(2, { observed: {}, converged: null })];
    expect(short(change((t) => void cells(t, 2).push(cell('new-1')), { rings: empty }))).toEqual(['new-1 2 wait']);
  });

  it('names cells that leave, and needs a yes for them', () => {
    const p = change((t) => void cells(t, 2).pop(), { rings: [ring(2, { rollout: 'package-rollout/x' })] });
    expect(short(p)).toEqual(['c2-3 2 drop']);
    expect(p.cells[0]?.detail).toContain('package-rollout/x');
    expect(p.refused[0]).toContain('--allow-removal');
  });

  it('never takes a cell that moves backwards', () => {
    const outward = (t: Loose) => void cells(t, 3).push(...cells(t, 2).splice(0, 1));
    expect(short(change(outward, { rings: [ring(2, { converged: V2 }), ring(3)] }))).toEqual(['c2-1 3 keep']);
    expect(short(change(outward, { rings: [ring(2, { converged: V0 }), ring(3)] }))).toEqual(['c2-1 3 converge']);
  });

  it('leaves a cell that moves alone where automation does', () => {
    const outward = (field: object) => (t: Loose) => {
      const [moved] = cells(t, 2).splice(0, 1);
      cells(t, 3).push({ ...moved, ...field });
    };
    expect(short(change(outward({ pinned: { reason: 'x' } })))).toEqual(['c2-1 3 left-out']);
    expect(short(change(outward({ quarantined: { reason: 'x' } })))).toEqual(['c2-1 3 quarantined']);
    expect(short(change(outward({ observe: true })))).toEqual(['c2-1 3 read']);
    const quarantined = [{ cell: 'c2-1', by: 'ann', reason: 'disk', since: '' }];
    expect(change(outward({}), { quarantined }).cells[0]).toMatchObject({
      does: 'quarantined',
      detail: 'by ann: disk',
    });
  });

  it('converges nothing to a package that was blocked, or on which its ring is not kept', () => {
    const join = (t: Loose) => void cells(t, 2).push({ ...cell('new-1'), join: 'auto' });
    const blocked = [{ version: V1, by: 'ann', reason: 'INC-1', since: '' }];
    expect(change(join, { blocked }).cells[0]).toMatchObject({ does: 'wait', detail: expect.stringContaining(V1) });
    const notKept = [{ ring: 2, reason: `${V1} is being aborted` }];
    const reconcile = { nextAt: null, looking: [], notKept, found: [] };
    expect(change(join, { reconcile }).cells[0]).toMatchObject({
      does: 'wait',
      detail: expect.stringContaining('aborted'),
    });
  });

  it('is refused for what the cluster says, too', () => {
    const after = parsed(written());
    const problem = { path: 'lanes.fast', value: 'missing', expected: 'the lane of V' };
    const p = planTopology(parsed(written()), after, status(), NOW, [problem, { ...problem, path: 'allowRemoval' }]);
    expect(p.refused).toEqual(['lanes.fast is missing; expected: the lane of V']);
  });

  it('names cells that are quarantined, pinned, or let back', () => {
    const put = (field: string, value: unknown) => (t: Loose) =>
      void Object.assign(cells(t, 2)[0] ?? {}, { [field]: value });
    expect(short(change(put('quarantined', { reason: 'disk' })))).toEqual(['c2-1 2 quarantined']);
    expect(short(change(put('pinned', { reason: 'x' })))).toEqual(['c2-1 2 left-out']);
    const before = written();
    put('quarantined', { reason: 'disk' })(before);
    const back = planTopology(parsed(before), parsed(written()), status(), NOW);
    expect(short(back)).toEqual(['c2-1 2 converge']);
  });

  it('of another cluster is refused; the first one is compared with nothing', () => {
    expect(change((t) => Object.assign(t, { cluster: 'other' })).refused[0]).toContain('another cluster');
    expect(planTopology(null, parsed(written()), null, NOW)).toMatchObject({ refused: [], cells: [] });
  });
});
