import { describe, expect, it } from 'vitest';
import type { ClusterStatus, WaitKind } from '../../src/contract/status.js';
import { todosOf } from '../../src/domain/todo.js';
import { halted, ringStatus, rolloutStatus } from '../cli/statuses.js';
import { V1 } from '../support/fleet.js';

const NOW = Date.parse('2026-12-23T10:15:00Z');
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
    expect(todosOf(cluster(), [rolloutStatus()], NOW)).toEqual([]);
  });

  it('is a halted ring, once, and its package’s brake, oldest first', () => {
    const todos = todosOf(cluster(), [halted], NOW);
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
    expect(todosOf(cluster(), [rolloutStatus({ rings })], NOW)).toHaveLength(counts ? 1 : 0);
  });

  it('is the release managers’ up to the perimeter', () => {
    const rings = [0, 3].map((ring) => ringStatus({ ring, name: '', total: 1, waitingFor: wait('approval', ring) }));
    expect(inShort(cluster(), [rolloutStatus({ rings })], NOW)).toEqual(['approval release-managers', 'approval ops']);
  });

  it('is a brake without an end, the coordinator’s own too; one that expires ends by itself', () => {
    const brake = { scope: 'outer' as const, mode: 'finish-cells' as const, reason: 'x', since: at('09:00:00') };
    const brakes = [
      { ...brake, brakeId: 'cold-start', by: 'coordinator' },
      { ...brake, brakeId: 'b', by: 'ann', expiresAt: at('11:00:00') },
    ];
    expect(todosOf(cluster({ brakes }), [], NOW)).toMatchObject([
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
      [],
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

  it('every command that it names can be typed', () => {
    for (const { next } of todosOf(cluster(), [halted], NOW))
      for (const line of next) expect(line).toMatch(/^cellctl /);
  });
});
