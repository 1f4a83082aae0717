import { describe, expect, it } from 'vitest';
import type { CellLook } from '../../../src/contract/activities.js';
import type { CellResult } from '../../../src/contract/internal.js';
import { cellEnded } from '../../../src/domain/ring/cell-ended.js';
import { noteFailedMigration } from '../../../src/domain/ring/look.js';
import { type PassState, room, takeNext } from '../../../src/domain/ring/pass.js';
import { quarantine, resume, retried } from '../../../src/domain/ring/people.js';
import { advance } from '../../../src/domain/ring/stages.js';
import { V0, V1 } from '../../support/fleet.js';
import { policyOf } from '../policies.js';
import { FREE, NOW, result, rules, standing } from './passes.js';

const HELD = { reason: 'PDM failed in ring 3', sinceMs: NOW };

describe('PDM that failed', () => {
  const policy = policyOf({ maxParallel: 5, failureBudget: 9 });
  const failedMigrations = (s: PassState) => Object.keys(s.pdmFailed).map(Number);

  const migrated = (state: CellResult['state'], more: Partial<CellResult> = {}): CellResult =>
    result(state, { purpose: 'migrate', ...more });

  /** PDM has run on the first cell, failed on the second, and a person has retried it; the others wait for theirs. */
  function retriedMigration(marks: string, stage: PassState['stage'] = 'migrate'): PassState {
    const s = { ...standing(marks), stage };
    s.exceptions[1] = { state: 'migration-failed', reason: 'job-1 failed' };
    s.pdmFailed[1] = true;
    s.halt = { kind: 'migration', reason: 'job-1 failed', sinceMs: NOW };
    retried(s, 1, { on: 'target' });
    resume(s, policy, NOW);
    return s;
  }

  it('counts as failed until its retry has succeeded, and nothing else of the ring starts meanwhile', () => {
    const s = retriedMigration('MXCC');
    expect(failedMigrations(s)).toEqual([1]);
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    expect(takeNext(s, policy, FREE)).toEqual([]);
    expect(failedMigrations(s)).toEqual([1]);
    cellEnded(s, 1, migrated('converged'), policy, NOW);
    expect(failedMigrations(s)).toEqual([]);
    expect(takeNext(s, policy, FREE)).toEqual([2, 3]);
  });

  it.each<[string, Partial<CellResult>]>([
    ['was put off until its time was up', { state: 'busy', deferred: true, jobId: null }],
    ['could not be ordered', { state: 'failed', jobId: null }],
  ])('or %s halts the ring again where a retry comes to nothing, whatever the budget', (_, ended) => {
    const s = { ...standing('Mm'), stage: 'migrate' as const };
    s.again[1] = true;
    s.putOff = { sinceMs: NOW - 24 * 3_600_000, tries: 3, nextAtMs: null, untilMs: NOW };
    cellEnded(s, 1, migrated('failed', ended), policy, NOW);
    while (advance(s, rules(policy)));
    expect(s).toMatchObject({ marks: ['M', 'X'], halt: { kind: 'migration' } });
    retried(s, 1, { on: 'bad', reason: 'busy: job 7 is under way' });
    resume(s, policy, NOW);
    while (advance(s, rules(policy)));
    expect(s).toMatchObject({ stage: 'migrate', halt: { kind: 'migration' } });
    retried(s, 1, { on: 'target' });
    resume(s, policy, NOW);
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    cellEnded(s, 1, migrated('converged'), policy, NOW);
    while (advance(s, rules(policy)));
    expect(s).toMatchObject({ stage: 'done', halt: null });
  });

  it('halts the ring again where the cell is quarantined before its retry has begun', () => {
    const s = retriedMigration('MX..', 'deploy');
    expect(s.halt).toBeNull();
    quarantine(s, 1, 'alice', 'a disk is broken', policy);
    advance(s, rules(policy));
    expect(s).toMatchObject({ halt: { kind: 'migration' }, exceptions: { 1: { state: 'migration-failed' } } });
    expect(takeNext(s, policy, FREE)).toEqual([]);
  });

  it('runs again before any new cell is deployed, and no clock runs the stage on', () => {
    const s = retriedMigration('MX..', 'deploy');
    advance(s, rules(policy));
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    expect(s.marks.join('')).toBe('Mm..');
    cellEnded(s, 1, migrated('converged'), policy, NOW);
    expect(takeNext(s, policy, FREE)).toEqual([2, 3]);
  });

  it.each([
    ['fails again', migrated('migration-failed')],
    ['is not even ordered', migrated('busy', { deferred: true, jobId: null })],
  ])('that %s is as failed as before', (_, end) => {
    const s = retriedMigration('MXCC');
    takeNext(s, policy, FREE);
    cellEnded(s, 1, end, policy, NOW);
    expect(s.exceptions[1]?.state).toBe('migration-failed');
    expect(s.halt?.kind).toBe('migration');
    expect(failedMigrations(s)).toEqual([1]);
    expect(takeNext(s, policy, FREE)).toEqual([]);
  });

  it('is run again while another one still halts the ring, or holds it from another ring; never under a brake', () => {
    const s = retriedMigration('MXXC');
    s.exceptions[2] = { state: 'migration-failed', reason: 'job-2 failed' };
    s.pdmFailed[2] = true;
    s.halt = { kind: 'migration', reason: 'job-2 failed', sinceMs: NOW };
    s.holdForward = HELD;
    expect(room(s, policy, { braked: true, trouble: false })).toBe(0);
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    cellEnded(s, 1, migrated('converged'), policy, NOW);
    expect(failedMigrations(s)).toEqual([2]);
    expect(takeNext(s, policy, FREE)).toEqual([]);
  });

  it('in an earlier pass is not taken for run because AMP says that it began; it waits for a person', () => {
    const facts = { version: V1, chartVersion: null, migratedVersion: V1, previousVersion: V0 };
    const known = {
      cell: 'c',
      tenant: 'known',
      activeJob: null,
      failedJob: null,
      onTarget: true,
      problem: '',
    } as const;
    const look: CellLook = { ...known, facts: { ...facts, previousChartVersion: null }, readiness: 'ready' };
    const target = { version: V1, chartVersion: null };
    const lost = standing('M', 'migrate');
    noteFailedMigration(lost, 0, look, target, false);
    expect(lost.marks.join('')).toBe('X');
    expect(failedMigrations(lost)).toEqual([0]);
    const asked = standing('M', 'migrate');
    noteFailedMigration(asked, 0, look, target, true);
    expect(takeNext(asked, policy, FREE)).toEqual([0]);
    const gone = standing('.');
    noteFailedMigration(gone, 0, { ...look, facts: { ...look.facts, version: V0 } }, target, false);
    expect(gone.marks.join('')).toBe('.');
  });
});
