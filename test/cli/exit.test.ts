import { describe, expect, it } from 'vitest';
import { FailedError, NotFoundError, RejectedError, TimedOutError, UnreachableError } from '../../src/client/index.js';
import type { RingResult } from '../../src/contract/status.js';
import { rollout, run, VERSION } from './harness.js';
import { clusterStatus, rolloutStatus } from './statuses.js';

const result = (more: Partial<RingResult>): RingResult => ({
  ring: 0,
  version: VERSION,
  outcome: 'converged',
  blocking: true,
  startedAt: '2026-12-23T10:00:00Z',
  finishedAt: '2026-12-23T10:01:30Z',
  cells: { total: 1, converged: 1, failed: 0, rolledBack: 0, quarantined: 0, skipped: 0 },
  exceptions: [],
  checks: [],
  ...more,
});

const answering = (answer: () => Promise<unknown>) =>
  rollout({ deployRing: { updateId: 'u1', answer }, status: rolloutStatus() });
const deploy = (answer: () => Promise<unknown>, ...more: string[]) =>
  run(['deploy', '--ring', '0', VERSION, ...more], answering(answer));

const NONE = { total: 0, converged: 0, failed: 0, rolledBack: 0, quarantined: 0, skipped: 0 };

const outcomes: [Partial<RingResult>, number][] = [
  [{ outcome: 'converged' }, 0],
  [{ outcome: 'converged', empty: true }, 0],
  [{ outcome: 'halted' }, 1],
  [{ outcome: 'aborted' }, 1],
  [{ outcome: 'refused', code: 'braked', next: ['cellctl brake off --id b1'] }, 1],
  [{ outcome: 'superseded', supersededBy: '17.11' }, 1],
  [{ outcome: 'failed', blocking: false }, 0],
  [{ outcome: 'refused', code: 'newer_running', blocking: false }, 0],
  [{ outcome: 'refused', code: 'braked', cells: NONE }, 1],
];

describe('deploy', () => {
  it.each(outcomes)('%j ends with %i, with and without --wait', async (more, exit) => {
    for (const wait of [[], ['--wait']]) {
      const ran = await deploy(async () => result(more), ...wait);
      expect(ran.exit).toBe(exit);
      expect(ran.stdout).toContain(`ring 0: ${more.outcome}`);
      expect(ran.stdout).not.toContain('0 of 0');
      const isWarned = more.blocking === false;
      expect(ran.stderr).toBe(isWarned ? 'warning: ring 0 did not converge, and does not block\n' : '');
    }
  });

  it('without --wait says how to follow what was only accepted', async () => {
    const ran = await deploy(() => Promise.reject(new TimedOutError(1500, 'No answer within 1.5 s')));
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toContain(`cellctl status ${VERSION} --watch`);
    expect(ran.stdout).toContain('--update-id u1 --wait');
  });

  it('--wait that runs out of time ends with 4, and says that the work goes on', async () => {
    const late = () => Promise.reject(new TimedOutError(5000, 'No answer within 5 s'));
    const ran = await deploy(late, '--wait', '--timeout', '5s');
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toBe(
      'No answer within 5 s; the work goes on\n' +
        `  → cellctl status ${VERSION} --watch\n` +
        `  → cellctl deploy --ring 0 ${VERSION} --update-id u1 --wait\n`,
    );
  });
});

function withoutNamespace(namespace: string): Error {
  return Object.assign(new UnreachableError('temporal', `Temporal has no namespace ${namespace}`), { namespace });
}

const errors: [Error, number, string][] = [
  [new RejectedError([{ path: 'ring', value: '9', expected: '0 or 1' }]), 1, 'ring: found 9, expected 0 or 1'],
  [new NotFoundError(`package-rollout/${VERSION}`, false), 1, 'cellctl rollouts'],
  [new NotFoundError(`package-rollout/${VERSION}`, true), 1, `cellctl restart ${VERSION}`],
  [new NotFoundError('cell-cluster', false), 1, 'cellctl cluster apply FILE'],
  [new NotFoundError('cell-cluster', true), 1, 'The workflow of the cell cluster was ended by hand'],
  [new FailedError('BrakeUnconfirmed', 'ring-rollout/3 did not answer'), 1, 'the brake stays on'],
  [new FailedError('Unknown', 'something else'), 1, 'something else'],
  [new UnreachableError('temporal', 'Temporal at t:7233 cannot be reached'), 3, 'Temporal at t:7233'],
  [new UnreachableError('temporal', 'cannot be reached'), 3, 'TEMPORAL_ADDRESS'],
  [new UnreachableError('temporal', 'cannot be reached'), 3, 'cellctl server dev'],
  [withoutNamespace('fresh'), 3, 'temporal operator namespace create --namespace fresh'],
  [new UnreachableError('worker', 'No worker answers'), 3, 'npm run worker'],
  [new TimedOutError(5000, 'No answer within 5 s'), 4, 'the work goes on'],
  [new TypeError('a bug'), 1, 'a bug'],
];

describe('an error', () => {
  it.each(errors)('%s ends with %i and says what to do: %s', async (error, exit, says) => {
    const ran = await run(['status', VERSION], rollout({ status: error }));
    expect([ran.exit, ran.stdout]).toEqual([exit, '']);
    expect(ran.stderr).toContain(says);
  });

  it.each(errors)('%s with --json is one document on standard output, and nothing else', async (error, exit) => {
    const ran = await run(['status', VERSION, '--json'], rollout({ status: error }));
    expect([ran.exit, ran.stderr]).toEqual([exit, '']);
    expect(JSON.parse(ran.stdout).error).toMatchObject({ exitStatus: exit });
  });
});

describe('--json', () => {
  const status = rolloutStatus();
  const ended = rolloutStatus({ state: 'converged', finishedAt: '2026-12-23T10:10:00Z' });
  const changes = { cellsJoined: [], cellsLeft: [], cellsMoved: [], ringsAdded: [], ringsRemoved: [], policy: [] };
  const applied = { revision: 4, changes, notInForce: [], warnings: [] };
  const cluster = {
    status: async () => clusterStatus,
    forecast: async () => ({ version: VERSION, rings: [] }),
    engageBrake: async () => ({ brakeId: 'b', inFlight: [] }),
    releaseBrake: async () => clusterStatus,
    applyTopology: async () => applied,
  };
  const cells = {
    ...rollout({
      status,
      deployRing: { updateId: 'u1', answer: async () => result({ blocking: false, outcome: 'failed' }) },
      graduate: { ring0: 'failed' },
      abort: status,
      skipCell: status,
    }),
    cluster: () => cluster,
    listRollouts: async () => [],
  };

  it.each<[string[], unknown]>([
    [['status', VERSION], status],
    [['status'], clusterStatus],
    [['cluster', 'status'], clusterStatus],
    [['rollouts'], []],
    [['brake', 'list'], [{ ...clusterStatus.brakes[0], version: null }]],
    [['brake', 'on', '--reason', 'x'], { brakeId: 'b', inFlight: [] }],
    [['brake', 'off'], clusterStatus],
    [['deploy', '--ring', '0', VERSION, '--wait'], result({ blocking: false, outcome: 'failed' })],
    [['graduate', VERSION], { ring0: 'failed' }],
    [['abort', VERSION, '--reason', 'x'], status],
    [['skip', 'cell-1', '--version', VERSION, '--reason', 'x'], status],
    [['cluster', 'apply', 'test/fixtures/topology.example.yaml'], applied],
  ])('of %j is the answer, and nothing else stands on standard output', async (argv, expected) => {
    const ran = await run([...argv, '--json'], cells);
    expect(JSON.parse(ran.stdout)).toEqual(expected);
    expect(ran.exit).toBe(0);
  });

  it('of a watched rollout is its last status', async () => {
    const ran = await run(['status', VERSION, '--watch', '--json'], rollout({ status: ended }));
    expect([ran.exit, JSON.parse(ran.stdout)]).toEqual([0, ended]);
  });

  it('of a deployment that was only accepted has its update id', async () => {
    const late = () => Promise.reject(new TimedOutError(1500, 'No answer within 1.5 s'));
    const ran = await deploy(late, '--json');
    expect(JSON.parse(ran.stdout)).toMatchObject({ accepted: true, updateId: 'u1', ring: 0, version: VERSION });
  });
});

it('a watch ends where the workflow was terminated: nothing of it will change', async () => {
  const seen = { ...rolloutStatus(), cutOff: 'terminated' };
  const ran = await run(['status', VERSION, '--watch'], rollout({ status: seen }));
  expect(ran.exit).toBe(0);
  expect(ran.stdout).toContain(`10:15:00Z ${VERSION}: rolling-out\n10:15:00Z its workflow was terminated`);
});

describe('a piped watch', () => {
  it('prints a line for each change, without colours, and ends with the rollout', async () => {
    const statuses = [
      rolloutStatus(),
      rolloutStatus(),
      rolloutStatus({ state: 'converged', finishedAt: '2026-12-23T10:15:00Z' }),
    ];
    const status = async () => statuses.shift();
    const ran = await run(['status', VERSION, '--watch'], { rollout: () => ({ status }) });
    expect(ran).toEqual({
      exit: 0,
      stdout: `10:15:00Z ${VERSION}: rolling-out\n10:15:00Z ${VERSION}: converged\n`,
      stderr: '',
    });
  });
});
