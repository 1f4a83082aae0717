import { describe, expect, it } from 'vitest';
import { packageRolloutId } from '../../src/contract/ids.js';
import type {
  CellException,
  ClusterRing,
  ClusterStatus,
  PackageRollbackStatus,
  PackageRolloutStatus,
  RingOutcome,
  WaitingFor,
  WaitKind,
} from '../../src/contract/status.js';
import { todosOf } from '../../src/domain/todo.js';
import { tooFarBehind } from '../../src/domain/upgrade-path.js';
import { halted, ringStatus, rolloutStatus } from '../cli/statuses.js';
import { problemOf } from '../docs/cellctl.js';
import { argumentsOf } from '../docs/shell.js';
import { V1, V2, V3 } from '../support/fleet.js';

const NOW = Date.parse('2026-12-23T10:15:00Z');
const NOBODY = { rollouts: [] };
const FAR_BEHIND = '17.1.202402010900-0a1b2c3d4e5.5e4d3c2b1a0';
const at = (time: string) => `2026-12-23T${time}Z`;

const cluster = (more: Partial<ClusterStatus> = {}): ClusterStatus => ({
  ...{ cluster: 'prod', topologyRevision: 1, perimeter: 1, rings: [], brakes: [], quarantined: [], blocked: [] },
  ...{ graduated: [], queue: [], drift: { max: 0, byRing: {} }, autoDeploy: { state: 'running' as const } },
  ...{ notInForce: [], waitingFor: null, acts: [], rejected: [] },
  ...more,
});

const inShort = (...of: Parameters<typeof todosOf>) => todosOf(...of).map(({ kind, team }) => `${kind} ${team}`);
const wait = (kind: WaitKind, ring: number) => ({
  kind,
  ring,
  since: at('10:00:00'),
  detail: 'so it is',
  next: ['cellctl x'],
});

describe('what waits for a person', () => {
  it('is nothing where nothing does', () => {
    expect(todosOf(cluster(), { rollouts: [rolloutStatus()] }, NOW)).toEqual([]);
  });

  it('is a halted ring, once, and its package’s brake, oldest first', () => {
    const todos = todosOf(cluster(), { rollouts: [halted] }, NOW);
    expect(todos.map(({ kind, since }) => [kind, since])).toEqual([
      ['brake', at('10:13:00')],
      ['operator', at('10:14:00')],
      ['rejected', at('10:14:30')],
    ]);
    expect(todos[0]).toMatchObject({ version: halted.version, next: [expect.stringContaining('--version')] });
  });

  it.each<[WaitKind, boolean]>([
    ['approval', true],
    ['check', true],
    ['health', true],
    ['operator', true],
    ['drift', true],
    ['topology', true],
    ['bake', false],
    ['grace-period', false],
    ['ring-turn', false],
    ['deploy-window', false],
    ['freeze', false],
    ['cell-busy', false],
    ['graduation', false],
    ['brake', false],
  ])('a wait for %s counts: %s', (kind, counts) => {
    const rings = [ringStatus({ ring: 3, name: 'c', total: 1, waitingFor: wait(kind, 3) })];
    expect(todosOf(cluster(), { rollouts: [rolloutStatus({ rings })] }, NOW)).toHaveLength(counts ? 1 : 0);
  });

  it('is the release managers’ up to the perimeter', () => {
    const rings = [0, 3].map((ring) => ringStatus({ ring, name: '', total: 1, waitingFor: wait('approval', ring) }));
    expect(inShort(cluster(), { rollouts: [rolloutStatus({ rings })] }, NOW)).toEqual([
      'approval release-managers',
      'approval ops',
    ]);
  });

  it('is a brake without an end, the coordinator’s own too; one that expires ends by itself', () => {
    const brake = { scope: 'outer' as const, mode: 'finish-cells' as const, reason: 'x', since: at('09:00:00') };
    const brakes = [
      { ...brake, brakeId: 'cold-start', by: 'coordinator' },
      { ...brake, brakeId: 'b', by: 'ann', expiresAt: at('11:00:00') },
    ];
    expect(todosOf(cluster({ brakes }), NOBODY, NOW)).toMatchObject([
      { kind: 'brake', next: ['cellctl brake off --id cold-start --reason "…"'] },
    ]);
  });

  it('is a cell that failed, one that was changed by hand, one that is quarantined, a pause, and an act that was rejected', () => {
    const exceptions = [
      { cell: 'a', state: 'rolled-back' as const, reason: 'errors', jobId: 'j1' },
      { cell: 'b', state: 'busy' as const, reason: '' },
    ];
    const ring = { ring: 3, name: 'c', desired: V1, observed: {}, converged: V1, total: 2, onDesired: 0 };
    const rings = [
      { ...ring, state: 'converged' as const, convergedAt: at('08:00:00'), exceptions, exceptionsTotal: 2 },
    ];
    const since = at('09:30:00');
    const found = (['hand', 'behind'] as const).map((kind) => ({ ring: 3, cell: kind, kind, reason: '', since }));
    const rejected = [{ at: at('10:10:00'), message: 'reconcile', path: 'ring', value: '9', expected: 'a ring' }];
    const todos = inShort(
      cluster({
        rings,
        reconcile: { nextAt: null, looking: [], notKept: [], found },
        quarantined: [
          { cell: 'q', by: 'ann', reason: 'x', since: at('09:40:00') },
          { cell: 'r', by: 'ann', reason: 'x', since: at('09:40:00'), expiresAt: at('12:00:00') },
        ],
        autoDeploy: { state: 'paused', reason: 'ring 3 is behind' },
        rejected: [...rejected, { ...rejected[0], at: '2026-12-20T00:00:00Z' } as (typeof rejected)[0]],
      }),
      NOBODY,
      NOW,
    );
    expect(todos.sort()).toEqual([
      'auto-deploy ops',
      'cell ops',
      'changed-by-hand ops',
      'quarantine ops',
      'rejected ops',
    ]);
  });
});

const ring = (more: Partial<ClusterRing> = {}): ClusterRing => ({
  ...{
    ring: 3,
    name: 'c',
    desired: V1,
    observed: {},
    converged: V1,
    total: 2,
    onDesired: 1,
    state: 'converged' as const,
  },
  ...{ convergedAt: at('08:00:00'), exceptions: [], exceptionsTotal: 0 },
  ...more,
});
const failed = (more: Partial<CellException> = {}): CellException => ({
  ...{ cell: 'a', state: 'failed', reason: 'job j1 failed', since: at('09:00:00') },
  ...more,
});
const notKept = (...rings: number[]) => ({
  ...{ nextAt: null, looking: [], found: [] },
  notKept: rings.map((number) => ({ ring: number, reason: 'it is not graduated any more' })),
});
/** What is to be typed for the one cell that waits, its health aside. */
const forCell = (rings: ClusterRing[], more: Partial<ClusterStatus> = {}, rollouts: PackageRolloutStatus[] = []) => {
  const todos = todosOf(cluster({ rings, ...more }), { rollouts }, NOW).filter(({ kind }) => kind === 'cell');
  expect(todos).toHaveLength(1);
  return todos.flatMap(({ next }) => next.slice(1));
};
const RECONCILE = 'cellctl cluster reconcile --cells a --reason "…"';

describe('a block', () => {
  const block = { version: V1, by: 'ann', reason: 'INC-4711', since: at('09:00:00') };
  const blocks = (more: Partial<ClusterStatus>, rollouts: PackageRolloutStatus[] = []) =>
    todosOf(cluster({ blocked: [block], ...more }), { rollouts }, NOW).filter(({ kind }) => kind === 'block');

  it('without a fix waits for a person, also while no package is there that it stops', () => {
    expect(blocks({})).toMatchObject([
      {
        ...{ team: 'ops', since: block.since, version: V1 },
        detail: `blocked by ann: ${V1} and later: INC-4711`,
        next: [`cellctl block ${V1} --fixed-in VERSION --reason "…"`, `cellctl unblock ${V1} --reason "…"`],
      },
    ]);
  });

  it('whose fix is known does so only while the newest package is one that it stops', () => {
    const blocked = [{ ...block, fixedIn: V3 }];
    expect(blocks({ blocked })).toEqual([]);
    expect(blocks({ blocked }, [rolloutStatus({ version: V2 })])).toHaveLength(1);
    expect(blocks({ blocked }, [rolloutStatus({ version: V2 }), rolloutStatus({ version: V3 })])).toEqual([]);
  });
});

describe('for a cell that failed', () => {
  const rings = (e: CellException, more: Partial<ClusterRing> = {}) => [ring({ exceptions: [e], ...more })];
  const open = (outcome?: RingOutcome) => [
    rolloutStatus({
      version: V1,
      rings: [ringStatus({ ring: 3, name: 'c', total: 2, ...(outcome ? { outcome } : {}) })],
    }),
  ];

  it('a reconcile is named where its ring is kept on its package', () => {
    expect(forCell(rings(failed()))).toEqual([RECONCILE]);
    expect(forCell(rings(failed()), {}, open('converged'))).toEqual([RECONCILE]);
  });

  it('nothing is, while it is quarantined: that has a word of its own', () => {
    const quarantined = [{ cell: 'a', by: 'ann', reason: 'disk', since: at('09:00:00') }];
    const todos = todosOf(cluster({ rings: rings(failed()), quarantined }), NOBODY, NOW);
    expect(todos.map(({ kind }) => kind)).not.toContain('cell');
  });

  it('a retry is, where its ring is kept on nothing and its package goes on', () => {
    const reconcile = notKept(3);
    const retry = `cellctl retry --ring 3 ${V1} --cells a`;
    expect(forCell(rings(failed()), { reconcile }, open('failed'))).toEqual([retry]);
    expect(forCell(rings(failed()), { reconcile }, open('converged'))).toEqual(['cellctl cluster status']);
    expect(forCell(rings(failed({ state: 'migration-failed' })), { reconcile }, open('converged'))).toEqual([retry]);
    const blocked = [{ version: V1, by: 'ann', reason: '', since: at('09:00:00') }];
    expect(forCell(rings(failed()), { reconcile, blocked }, open('failed'))).toEqual(['cellctl cluster status']);
  });

  it('what says why its ring is kept on nothing is, where nothing would try it again', () => {
    const [todo] = todosOf(cluster({ rings: rings(failed()), reconcile: notKept(3) }), NOBODY, NOW);
    expect(todo?.next).toEqual(['cellctl health a', 'cellctl cluster status']);
    expect(todo?.detail).toBe('a is failed: job j1 failed; its ring is kept on nothing: it is not graduated any more');
  });

  it('a rollback that may take it down is, where nothing else takes it back', () => {
    const down = `cellctl rollback ${V1} --dry-run --allow-downtime a --reason "…"`;
    const needsDowntime = true as const;
    expect(forCell(rings(failed({ needsDowntime })), { reconcile: notKept(3) })).toEqual([down]);
    expect(forCell(rings(failed({ needsDowntime })))).toEqual([RECONCILE, down]);
  });

  it('no command is that would only fail again, where it is too far behind', () => {
    const reason = `not deployed: ${tooFarBehind({ version: FAR_BEHIND }, V1)}`;
    expect(forCell(rings(failed({ reason })))).toEqual(['cellctl quarantine a --reason "…"']);
  });

  it('inside the perimeter a deployment is, of the newest package, unless that is blocked', () => {
    const inside = rings(failed(), { ring: 0 });
    const reconcile = notKept(0);
    const graduated = [{ version: V2, graduatedAt: at('09:00:00'), by: 'ci', blocked: false, convergedAt: null }];
    const blocked = [{ version: V1, by: 'ann', reason: '', since: at('09:00:00') }];
    expect(forCell(inside, { reconcile })).toEqual([`cellctl deploy --ring 0 ${V1}`]);
    expect(forCell(inside, { reconcile, graduated })).toEqual([`cellctl deploy --ring 0 ${V2}`]);
    expect(forCell(inside, { reconcile, graduated, blocked })).toEqual(['cellctl cluster status']);
  });

  it('a retry by the pass that is in its ring is, unless that has halted and says so itself', () => {
    const under = { rollout: packageRolloutId(V2), state: 'baking' as const, desired: V2 };
    expect(forCell(rings(failed(), under))).toEqual([`cellctl retry --ring 3 ${V2} --cells a`]);
    const none = (more: Partial<ClusterRing>) =>
      expect(todosOf(cluster({ rings: rings(failed(), more) }), NOBODY, NOW)).toEqual([]);
    none({ ...under, state: 'halted' });
    none({ ...under, rollout: 'cell-cluster' });
    none({ ...under, rollout: `package-rollback/${V2}` });
  });

  it('it says since when, also in a ring that never converged', () => {
    const since = (e: CellException, more: Partial<ClusterRing> = {}) =>
      todosOf(cluster({ rings: rings(e, more) }), NOBODY, NOW).map((todo) => todo.since);
    expect(since(failed())).toEqual([at('09:00:00')]);
    const { since: _, ...untold } = failed();
    expect(since(untold)).toEqual([at('08:00:00')]);
    expect(since(untold, { convergedAt: null })).toEqual([new Date(NOW).toISOString()]);
  });
});

describe('what a rollback left', () => {
  const left = {
    ...{ version: V1, since: at('09:00:00'), total: 3, needsDowntime: ['a', 'b'] },
    cells: ['a', 'b', 'c'].map((cell) => ({ cell, reason: 'x' })),
  };

  it('is told once for all of its cells, with the command that takes them down for it', () => {
    const exceptions = [failed({ needsDowntime: true }), failed({ cell: 'b' })];
    const found = [{ ring: 3, cell: 'c', kind: 'newer' as const, reason: '', since: at('09:30:00') }];
    const status = { rings: [ring({ exceptions })], reconcile: { ...notKept(3), found }, leftBehind: [left] };
    expect(todosOf(cluster(status), NOBODY, NOW)).toMatchObject([
      {
        ...{ kind: 'left-behind', since: at('09:00:00'), version: V1 },
        next: [`cellctl status ${V1}`, `cellctl rollback ${V1} --allow-downtime a b --reason "…"`],
      },
    ]);
  });

  it('is taken back as it was asked for, in one ring and without a block', () => {
    const [todo] = todosOf(cluster({ leftBehind: [{ ...left, ring: 0, block: false }] }), NOBODY, NOW);
    expect(todo?.next).toContain(`cellctl rollback ${V1} --ring 0 --no-block --allow-downtime a b --reason "…"`);
  });

  it('is tried again as it was where no cell of it needs downtime', () => {
    const [todo] = todosOf(cluster({ leftBehind: [{ ...left, needsDowntime: [] }] }), NOBODY, NOW);
    expect(todo?.next).toContain(`cellctl rollback ${V1} --reason "…"`);
  });
});

describe('a rollback under way', () => {
  const rollback = (waitingFor: WaitingFor): PackageRollbackStatus => ({
    ...{ ...rolloutStatus({ version: V1, waitingFor }), needsDowntime: [], by: 'ann', reason: 'x', plan: [] },
  });
  const todosFor = (waitingFor: WaitingFor) =>
    todosOf(cluster(), { rollouts: [], rollbacks: [rollback(waitingFor)] }, NOW);

  it('waits for a person where AMP refuses', () => {
    const refused = { ...wait('operator', 3), detail: 'AMP answers 401', next: ['check AMP_TOKEN'] };
    expect(todosFor(refused)).toMatchObject([
      {
        ...{ kind: 'operator', version: V1, detail: `the rollback of ${V1}: AMP answers 401` },
        next: ['check AMP_TOKEN', `cellctl status ${V1}`, `cellctl rollback ${V1} --stop --reason "…"`],
      },
    ]);
  });

  it('waits for nobody while it asks what every cell runs', () => {
    expect(todosFor({ ...wait('topology', 3), next: [] })).toEqual([]);
  });
});

it('a pause of auto-deploy lasts since it paused itself', () => {
  const rings = [ring({ convergedAt: '2026-12-01T00:00:00Z' })];
  const autoDeploy = { state: 'paused' as const, reason: 'ring 3 is behind', since: at('09:45:00') };
  expect(todosOf(cluster({ rings, autoDeploy }), NOBODY, NOW)).toMatchObject([
    { kind: 'auto-deploy', since: at('09:45:00') },
  ]);
});

it('every command that is named can be typed', async () => {
  const block = { version: V1, by: 'ann', reason: 'x', since: at('09:00:00') };
  const left = { version: V1, since: at('09:00:00'), total: 1, cells: [], needsDowntime: ['a', 'b'] };
  const exceptions = [failed(), failed({ cell: 'b', needsDowntime: true })];
  const all = todosOf(
    cluster({ blocked: [block], leftBehind: [left], rings: [ring({ exceptions }), ring({ ring: 0, exceptions })] }),
    { rollouts: [halted] },
    NOW,
  );
  const lines = all.flatMap(({ next }) => next).map((line) => line.replace('VERSION', V2));
  expect(lines.length).toBeGreaterThan(12);
  for (const line of lines) expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
});
