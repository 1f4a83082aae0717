import { describe, expect, it } from 'vitest';
import type { CellLook } from '../../../src/contract/activities.js';
import type { CellException, PassPurpose } from '../../../src/contract/status.js';
import { haltForExceptions } from '../../../src/domain/ring/halts.js';
import { awaitOther, judgeRetry, keepAsLeft, noteFirstLook } from '../../../src/domain/ring/look.js';
import { setMark } from '../../../src/domain/ring/marks.js';
import { newPass } from '../../../src/domain/ring/pass.js';
import type { Mark } from '../../../src/domain/ring/pass-state.js';
import { retried, retryable } from '../../../src/domain/ring/people.js';
import { V0, V1, V2 } from '../../support/fleet.js';
import { policyOf } from '../policies.js';

const TARGET = { version: V1, chartVersion: null };

/** A look at a cell that runs V1 and is well, but for what is said. */
const look = (more: Partial<Omit<CellLook, 'facts'>> & { version?: string; migrated?: string } = {}): CellLook => {
  const { version = V1, migrated = V0, ...rest } = more;
  return {
    cell: 'c',
    tenant: 'known',
    facts: {
      version,
      chartVersion: null,
      migratedVersion: migrated,
      previousVersion: V0,
      previousChartVersion: null,
    },
    activeJob: null,
    failedJob: null,
    readiness: 'ready',
    onTarget: version === V1,
    problem: version === V1 ? '' : `runs ${version}`,
    ...rest,
  };
};

const failed = (kind: 'configure' | 'rollback' | 'post_deploy_migrations', more: object = {}) => ({
  onTarget: false,
  problem: 'AMP says that the last job on it failed',
  failedJob: { id: 'job-9', kind, version: kind === 'rollback' ? V0 : V1, fromVersion: V1, ours: true, ...more },
});

function firstLook(seen: CellLook, purpose: PassPurpose = 'deploy', askedFor = false) {
  const s = newPass(purpose, 1);
  const verdict = noteFirstLook(s, 0, seen, { target: TARGET, policy: policyOf(), askedFor });
  return { mark: s.marks[0], ...verdict, exception: s.exceptions[0] };
}

describe('the first look at a cell', () => {
  it.each<[string, CellLook, string]>([
    ['on an older package it is to be deployed', look({ version: V0 }), '.'],
    ['on the package and well it is converged', look(), 'C'],
    ['with its PDM done nothing is left to do', look({ migrated: V1 }), 'M'],
    ['on a newer package it is left alone', look({ version: V2 }), 'X'],
    ['on the package and not well it is deployed again', look({ onTarget: false, problem: 'not ready' }), '.'],
    ['of an unknown tenant the deployment will say what is wrong', look({ tenant: 'unknown', onTarget: false }), '.'],
  ])('%s', (_, seen, mark) => {
    expect(firstLook(seen)).toMatchObject({ mark, goesBack: false });
  });

  it('more than one minor version behind it is not deployed, and the stops in between are named', () => {
    const seen = firstLook(look({ version: '17.7.202501010900-0a1b2c3d4e5.5e4d3c2b1a0' }));
    expect(seen).toMatchObject({ mark: 'X', exception: { state: 'failed' } });
    expect(seen.exception?.reason).toContain('upgrade-path');
    expect(seen.exception?.reason).toContain('17.8, then 17.9');
  });

  it('a deployment of this package that failed, and whose runs died, is taken back, not ordered again', () => {
    expect(firstLook(look(failed('configure')))).toMatchObject({ mark: 'C', goesBack: true });
  });

  it('one that failed before it changed the version stays failed until a person asks', () => {
    const seen = firstLook(look({ version: V0, ...failed('configure') }));
    expect(seen).toMatchObject({ mark: 'X', goesBack: false, exception: { state: 'failed' } });
    expect(seen.exception?.reason).toContain('job-9');
  });

  it('a rollback of this package that failed is never repeated unasked', () => {
    const seen = firstLook(look(failed('rollback')));
    expect(seen).toMatchObject({ mark: 'X', goesBack: false, exception: { state: 'rollback-failed' } });
  });

  it.each([
    ['of another package', { version: V0 }],
    ['of another hand', { ours: false }],
  ])('a failed deployment %s is in nobody’s way', (_, more) => {
    expect(firstLook(look({ version: V0, ...failed('configure', more) }))).toMatchObject({ mark: '.' });
  });

  it('where somebody asked for the pass by name, what failed is tried again', () => {
    expect(firstLook(look(failed('configure')), 'deploy', true)).toMatchObject({ mark: '.', goesBack: false });
  });
});

it.each<[PassPurpose, string, boolean]>([
  ['deploy', 'X', true],
  ['migrate', 'X', true],
  ['rollback', 'L', false],
])('a cell that runs a newer package: to a %s it is %s, and that the package came too late is %s', (...row) => {
  const [purpose, mark, isNewer] = row;
  expect(firstLook(look({ version: V2 }), purpose)).toMatchObject({ mark, isNewer });
});

it('a cell that came from a ring with a newer package spends no budget, and is not tried again at the end of the ring', () => {
  const s = newPass('deploy', 2);
  const rules = { target: TARGET, policy: policyOf({ failureBudget: 0 }), askedFor: false, came: ['c'] };
  noteFirstLook(s, 0, look({ version: V2 }), rules);
  noteFirstLook(s, 1, look(), rules);
  haltForExceptions(s, rules.policy, 0);
  expect(s).toMatchObject({ halt: null, again: { 0: true }, exceptions: { 0: { state: 'skipped' } } });
});

it('a cell that answers something else than AMP says is deployed again only by a pass that reconciles', () => {
  const seen = look({ migrated: V1, onTarget: false, problem: 'it reports revision 0a1b' });
  const marks = [true, false].map((reconciles) => {
    const s = newPass('deploy', 1);
    noteFirstLook(s, 0, seen, { target: TARGET, policy: policyOf(), askedFor: false, reconciles });
    return s.marks[0];
  });
  expect(marks).toEqual(['.', 'X']);
});

describe('the chart with which cells run the package', () => {
  it('is that of the first one seen on it; another package’s says nothing', () => {
    const s = newPass('deploy', 3);
    const rulesOfLook = { target: TARGET, policy: policyOf(), askedFor: false };
    const at = (version: string, chartVersion: string) => {
      const seen = look({ version });
      return { ...seen, facts: { ...seen.facts, chartVersion } };
    };
    [at(V0, '8.9.0'), at(V1, '8.10.1'), at(V1, '8.10.2')].forEach((seen, i) => {
      noteFirstLook(s, i, seen, rulesOfLook);
    });
    expect(s.runsWith).toBe('8.10.1');
  });
});

describe('the first look of a pass that only migrates', () => {
  it.each<[string, CellLook, string]>([
    ['well on the package: PDM may run', look(), 'C'],
    ['PDM has run', look({ migrated: V1 }), 'M'],
    ['its deployment failed', look(failed('configure')), 'X'],
    ['its rollback failed', look(failed('rollback')), 'X'],
    ['not ready', look({ onTarget: false, problem: 'not ready' }), 'X'],
    ['a job is under way', look({ onTarget: false, problem: 'busy', activeJob: { id: 'j', ours: true } }), 'X'],
    ['another package', look({ version: V0 }), 'X'],
  ])('%s', (_, seen, mark) => {
    expect(firstLook(seen, 'migrate', true)).toMatchObject({ mark });
  });

  it('a cell that is still not well is not migrated on a retry either', () => {
    const s = newPass('migrate', 1);
    setMark(s, 0, 'X');
    expect(judgeRetry(s, 0, look({ onTarget: false, problem: 'not ready' }), TARGET)).toEqual({
      on: 'bad',
      reason: 'not ready',
    });
    expect(judgeRetry(s, 0, look(), TARGET)).toEqual({ on: 'target' });
  });
});

describe('a retry where cells go back', () => {
  const back = (marks: string) => {
    const s = newPass('rollback', marks.length);
    [...marks].forEach((mark, index) => {
      setMark(s, index, mark as Mark);
    });
    return s;
  };

  it('is about those that stayed: what went back is done', () => {
    expect(retryable(back('XRCX'), null)).toEqual([0, 3]);
    expect(retryable(back('XRs'), [0, 1, 2])).toEqual([0, 2]);
  });

  it.each<[string, CellLook, Mark]>([
    ['still runs the package, with PDM behind it', look({ migrated: V1 }), 'C'],
    ['still runs the package', look(), 'C'],
    ['runs another by now', look({ version: V0 }), 'L'],
    ['runs a newer one by now', look({ version: V2 }), 'L'],
  ])('a cell that %s', (_, seen, mark) => {
    const s = back('X');
    retried(s, 0, judgeRetry(s, 0, seen, TARGET));
    expect(s.marks[0]).toBe(mark);
  });
});

describe('a cell that the run of a terminated pass still works on', () => {
  it.each<[PassPurpose, string, string]>([
    ['rollback', 'L', 'C'],
    ['rollback', 'C', 'C'],
    ['rollback', 'X', 'C'],
    ['deploy', 'X', 'X'],
    ['migrate', 'M', 'M'],
  ])('in a pass to %s stands at %s and then at %s', (purpose, before, mark) => {
    const s = newPass(purpose, 1);
    setMark(s, 0, before as never);
    s.exceptions[0] = { state: 'failed', reason: 'unknown' };
    awaitOther(s, 0);
    expect(s.marks[0]).toBe(mark);
    expect(s.exceptions[0] === undefined).toBe(purpose === 'rollback');
  });

  it('stays where a person left it', () => {
    const s = newPass('rollback', 1);
    setMark(s, 0, 's');
    s.exceptions[0] = { state: 'skipped', reason: 'left on it by alice' };
    awaitOther(s, 0);
    expect(s).toMatchObject({ marks: ['s'], exceptions: { 0: { state: 'skipped' } } });
  });

  it('is none of the pass’s where the ring has no such cell', () => {
    const s = newPass('rollback', 1);
    awaitOther(s, -1);
    expect(s.marks).toEqual(['.']);
  });
});

describe('what a lost pass left behind', () => {
  const left = (state: CellException['state']): CellException => ({ cell: 'c', state, reason: 'before', jobId: 'j' });

  it.each<[CellException['state'], string, string]>([
    ['rolled-back', '.', 'R'],
    ['failed', '.', 'X'],
    ['rollback-failed', '.', 'X'],
    ['migration-failed', 'M', 'X'],
    ['cancel-unconfirmed', 'C', 'X'],
    ['rolled-back', 'C', 'C'],
    ['failed', 'M', 'M'],
    ['migration-failed', 'L', 'L'],
  ])('a cell that was %s and now stands at %s is %s', (state, now, mark) => {
    const s = newPass('deploy', 1);
    setMark(s, 0, now as never);
    keepAsLeft(s, 0, left(state));
    expect(s.marks[0]).toBe(mark);
    if (mark !== now) expect(s.exceptions[0]).toEqual({ state, reason: 'before', jobId: 'j' });
  });
});
