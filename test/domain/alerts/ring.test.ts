import { describe, expect, it } from 'vitest';
import type { Alert } from '../../../src/contract/activities.js';
import type { Evidence } from '../../../src/contract/health.js';
import type { CellState } from '../../../src/contract/status.js';
import { alertsOfPass, newPassAlerts, type PassFacts } from '../../../src/domain/alerts/ring.js';
import { newHealth } from '../../../src/domain/ring/health.js';
import { setMark } from '../../../src/domain/ring/marks.js';
import type { Halt, PassState } from '../../../src/domain/ring/pass.js';
import { viewOf } from '../../../src/domain/ring/view.js';
import { problemOf } from '../../docs/cellctl.js';
import { argumentsOf } from '../../docs/shell.js';
import { NOW, standing } from '../ring/passes.js';

const MINUTE = 60_000;
const VERSION = '17.10.202503180906-6a387d336a7.c1c3e017782';
const RING = { ring: 3, name: 'ring-3', version: VERSION, perimeter: false, soft: false };
const idOf = (index: number) => `cell-${index}`;
const indexOf = (cell: string) => Number(cell.slice(5));

type More = Partial<Omit<PassFacts, 'trouble'>> & { trouble?: 'health' | 'prometheus' | 'amp' };

/** The facts of a pass at an instant, with what people see of it. */
function facts(s: PassState, { trouble, now = NOW, ...more }: More = {}): PassFacts {
  const seen = trouble ? { kind: trouble, detail: 'nobody knows', sinceMs: now } : null;
  const ctx = { ...RING, ...more, idOf, leftOut: [], brakes: [], trouble: seen, startedAtMs: NOW, nowMs: now };
  return {
    ...{ ...RING, cluster: 'prod', inconclusiveTimeoutMs: 60 * MINUTE, indexOf },
    view: viewOf(s, ctx),
    trouble: trouble ?? null,
    now,
    ...more,
  };
}

const alerts = (s: PassState, more: More = {}, left: Alert[] = []): Alert[] =>
  alertsOfPass(s, newPassAlerts(left), facts(s, more)).alerts;
const inShort = (all: Alert[]) =>
  all.map(({ name, severity, cell }) => [name, severity, ...(cell ? [cell] : [])].join(' '));

function halted(marks: string, kind: Halt['kind'], reason = 'too many failed'): PassState {
  const s = standing(marks);
  s.halt = { kind, reason, sinceMs: NOW };
  return s;
}

function ended(s: PassState, index: number, state: CellState): PassState {
  s.exceptions[index] = { state, reason: `because ${state}`, jobId: 'job-7' };
  setMark(s, index, state === 'rolled-back' ? 'R' : 'X');
  return s;
}

describe('a ring', () => {
  it('that goes on raises nothing', () => {
    expect(alerts(standing('C>.'))).toEqual([]);
  });

  it.each<[Halt['kind'], boolean, string]>([
    ['cells', false, 'RingHalted s2'],
    ['migration', false, 'RingHalted s2'],
    ['check', false, 'RingHalted s2'],
    ['none-converged', false, 'RingHalted s2'],
    ['in-doubt', false, 'RingHalted s2'],
    ['put-off', false, 'RingHalted s2'],
    ['in-doubt', true, 'RingHalted s4'],
    ['cells', true, 'RingHalted s4'],
    ['systemic', false, 'PackageUnhealthy s1'],
    ['systemic', true, 'PackageUnhealthy s4'],
  ])('halted by %s, soft: %s, raises %s until it goes on', (kind, soft, expected) => {
    const s = halted('C.', kind);
    expect(inShort(alerts(s, { soft }))).toEqual([expected]);
    s.halt = null;
    expect(alerts(s, { soft })).toEqual([]);
  });

  it('that was halted raises nothing more once its pass was stopped; a soft one ends with its failure', () => {
    const s = halted('CX', 'cells');
    s.stage = 'done';
    expect(alerts(s)).toEqual([]);
    expect(inShort(alerts(s, { soft: true }))).toEqual(['RingHalted s4']);
    s.stop = { outcome: 'aborted', by: 'alice', reason: 'enough', hurry: false };
    expect(alerts(s, { soft: true })).toEqual([]);
  });

  it('names labels, sentence, evidence and the commands that end it', () => {
    const s = ended(halted('C.', 'cells', '1 failed, the budget is 0'), 1, 'failed');
    expect(alerts(s)).toEqual([
      {
        ...{ name: 'RingHalted', severity: 's2', cluster: 'prod', ring: 3, version: VERSION, team: 'outer' },
        summary: `ring 3 halted on ${VERSION}: 1 failed, the budget is 0`,
        evidence: ['cell-1 failed: because failed'],
        next: expect.arrayContaining([`cellctl status ${VERSION}`, `cellctl retry --ring 3 ${VERSION}`]),
        startedAtMs: NOW,
      },
    ]);
    expect(alerts(s, { perimeter: true })).toMatchObject([{ team: 'perimeter' }]);
  });
});

describe('the evidence of a ring', () => {
  const found = (cell: string | null, sentence: string): Evidence => ({
    ...{
      signal: 'errors',
      rule: 'max',
      verdict: 'unhealthy',
      cell,
      package: VERSION,
      fromMs: 0,
      toMs: NOW,
      samples: 9,
    },
    ...{ value: 0.2, baseline: 0, threshold: 0.1, sentence },
  });

  it('is the last word on the ring, by cell, and then its cells, each thing once', () => {
    const s = ended(halted('C..', 'systemic'), 1, 'failed');
    const findings = [found(null, 'the pool is worse'), found('cell-2', 'errors are 0.2')];
    const ring = { verdict: 'unhealthy' as const, scope: 'systemic' as const, sentence: '', atMs: NOW };
    s.health = { ...newHealth(), ring: { ...ring, evidence: findings } };
    s.healthMode = 'enforce';
    s.exceptions[1] = { state: 'failed', reason: 'errors are 0.3', evidence: [found('cell-1', 'errors are 0.3')] };
    s.exceptions[2] = { state: 'failed', reason: 'is bad', evidence: [found('cell-2', 'errors are 0.2')] };
    expect(alerts(s)[0]?.evidence).toEqual([
      'the pool is worse',
      'cell-2: errors are 0.2',
      'cell-1 failed: errors are 0.3',
      'cell-2 failed: is bad; errors are 0.2',
    ]);
  });
});

describe('a cell', () => {
  it.each<[CellState, string[]]>([
    ['rolled-back', ['CellRolledBack s2 cell-1']],
    ['rollback-failed', ['CellRollbackFailed s1 cell-1']],
    ['migration-failed', ['CellMigrationFailed s1 cell-1']],
    ['cancel-unconfirmed', ['CellCancelUnconfirmed s2 cell-1']],
    ['failed', []],
    ['skipped', []],
    ['busy', []],
  ])('that is %s raises %j', (state, expected) => {
    const s = ended(standing('C..'), 1, state);
    expect(inShort(alerts(s))).toEqual(expected);
    expect(inShort(alerts(s, { soft: true }))).toEqual(expected.map((text) => text.replace(/s\d/, 's4')));
  });

  it('that went back with its ring is no news: a person, or the package, is why', () => {
    const s = ended(halted('C..', 'systemic'), 1, 'rolled-back');
    expect(inShort(alerts(s))).toEqual(['PackageUnhealthy s1']);
    const back = ended(standing('CC', 'rollback'), 1, 'rolled-back');
    expect(alerts(back)).toEqual([]);
    expect(inShort(alerts(ended(back, 0, 'rollback-failed')))).toEqual(['CellRollbackFailed s1 cell-0']);
  });

  it('is one of ten at most, the worst first', () => {
    const s = standing('.'.repeat(40));
    for (let index = 0; index < 30; index += 1) ended(s, index, index === 25 ? 'rollback-failed' : 'rolled-back');
    const all = inShort(alerts(s));
    expect(all).toHaveLength(10);
    expect(all[0]).toBe('CellRollbackFailed s1 cell-25');
  });

  it('of an earlier pass stays what it is until this one has mended it, or it is gone', () => {
    const left = (cell: string, name = 'CellRolledBack'): Alert => ({
      ...{ name, severity: 's2', cluster: 'prod', ring: 3, version: 'V0', summary: '', next: [] },
      cell,
    });
    const all = ['cell-0', 'cell-1', 'cell-2', 'cell-9'].map((cell) => left(cell));
    expect(inShort(alerts(standing('C.X'), {}, all))).toEqual(['CellRolledBack s2 cell-1', 'CellRolledBack s2 cell-2']);
    const ofRing: Alert = { ...left('cell-1'), name: 'RingHalted' };
    delete ofRing.cell;
    expect(alerts(standing('..'), {}, [ofRing])).toEqual([]);
    const failed = [left('cell-0', 'CellRollbackFailed'), left('cell-0')];
    expect(inShort(alerts(standing('R', 'rollback'), {}, failed))).toEqual(['CellRolledBack s2 cell-0']);
  });
});

describe('a ring that is held by health', () => {
  const held = (trouble: 'health' | 'prometheus', afterMs: number, more: More = {}) => {
    const s = standing('C>.');
    const kept = newPassAlerts([]);
    const wait = { ...more, trouble };
    const first = alertsOfPass(s, kept, facts(s, wait));
    const later = alertsOfPass(s, kept, facts(s, { ...wait, now: NOW + afterMs }));
    const after = alertsOfPass(s, kept, facts(s, { now: NOW + afterMs + 1 }));
    return { first, later: inShort(later.alerts), after: after.alerts, alert: later.alerts[0] };
  };

  it.each<['health' | 'prometheus', number, number | null, string[]]>([
    ['health', 15 * MINUTE - 1, 60 * MINUTE, []],
    ['health', 15 * MINUTE, 60 * MINUTE, ['HealthInconclusive s3']],
    ['health', 15 * MINUTE, null, ['HealthInconclusive s3']],
    ['health', MINUTE, MINUTE, ['HealthInconclusive s3']],
    ['prometheus', 5 * MINUTE - 1, 60 * MINUTE, []],
    ['prometheus', 5 * MINUTE, 60 * MINUTE, ['PrometheusUnavailable s2']],
  ])(
    'by %s for %i ms, with a time of %s for it, raises %j until it goes on',
    (kind, ms, inconclusiveTimeoutMs, names) => {
      const { first, later, after } = held(kind, ms, { inconclusiveTimeoutMs });
      expect(first.alerts).toEqual([]);
      expect(later).toEqual(names);
      expect(after).toEqual([]);
    },
  );

  it('says what it waits for, and is looked at again in time', () => {
    const { first, alert } = held('health', 15 * MINUTE);
    expect(first.nextMs).toBe(NOW + 15 * MINUTE);
    expect(alert).toMatchObject({ summary: expect.stringContaining('nobody knows'), startedAtMs: NOW });
  });

  it('by AMP raises nothing', () => {
    expect(alerts(standing('C>.'), { trouble: 'amp', now: NOW + 30 * MINUTE })).toEqual([]);
  });
});

describe('the commands of these alerts', () => {
  it('can be typed', async () => {
    const all = [
      alerts(ended(halted('C..', 'cells'), 1, 'rolled-back')),
      alerts(ended(halted('C..', 'cells'), 1, 'rolled-back'), { soft: true }),
      alerts(halted('C..', 'systemic')),
      alerts(halted('C..', 'check')),
    ].flat();
    const typed = all.flatMap(({ next }) => next);
    expect(typed.length).toBeGreaterThan(8);
    for (const line of typed) expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
  });
});
