import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PackageRolloutStatus, WaitingFor } from '../../src/contract/status.js';
import { fleet } from '../support/fleet.js';
import { rollout, run, VERSION } from './harness.js';
import { rolloutStatus } from './statuses.js';

interface Sent {
  name: string;
  payload: unknown;
  updateId: unknown;
}

/** Runs a command and answers what it sent. */
async function sent(argv: string[], env: Record<string, string> = {}): Promise<Sent | undefined> {
  const all: Sent[] = [];
  const answer = {
    state: 'waiting',
    waitingFor: null,
    brakes: [],
    blocked: [],
    brakeId: 'b',
    inFlight: [],
    ring0: 'never',
  };
  const target = new Proxy(
    {},
    {
      get: (_, name) => async (payload: unknown, options?: { updateId?: string }) => {
        all.push({ name: String(name), payload, updateId: options?.updateId });
        return answer;
      },
    },
  );
  await run(argv, { cluster: () => target, rollout: () => target }, env);
  return all[0];
}

const acts: [argv: string[], name: string, payload: object][] = [
  [['approve', '--ring', '2', VERSION], 'approveRing', { ring: 2, by: 'ann' }],
  [
    ['override', '--wait', 'bake', '--ring', '2', VERSION, '--reason', 'fix'],
    'override',
    { wait: 'bake', ring: 2, by: 'ann', reason: 'fix' },
  ],
  [['retry', '--ring', '2', VERSION, '--cells', 'a,b'], 'retryRing', { ring: 2, cells: ['a', 'b'], by: 'ann' }],
  [['skip', 'a', '--version', VERSION, '--reason', 'x'], 'skipCell', { cell: 'a', by: 'ann', reason: 'x' }],
  [
    ['check', '--ring', '0', VERSION, 'qa', 'failed'],
    'recordCheck',
    { ring: 0, name: 'qa', outcome: 'failed', by: 'ann' },
  ],
  [['abort', VERSION, '--reason', 'x', '--rollback'], 'abort', { rollback: true, by: 'ann', reason: 'x' }],
  [
    ['restart', VERSION, '--reason', 'x', '--url', 'https://i.example/7'],
    'restart',
    { by: 'ann', reason: 'x', url: 'https://i.example/7' },
  ],
  [['graduate', VERSION, '--lane', 'urgent'], 'graduate', { lane: 'urgent', by: 'ann' }],
  [
    ['graduate', VERSION, '--pdm-completed-at', '2026-12-23T10:00:00+01:00'],
    'graduate',
    { pdmCompletedAt: '2026-12-23T10:00:00+01:00', by: 'ann' },
  ],
  [
    ['brake', 'on', '--reason', 'x'],
    'engageBrake',
    { by: 'ann', reason: 'x', brakeId: expect.stringMatching(/^ann-20261223T101500-[0-9a-f]{8}$/), scope: 'outer' },
  ],
  [
    ['brake', 'on', '--ring', '2', '--reason', 'x', '--id', 'b1', '--mode', 'cancel-cells'],
    'engageBrake',
    { by: 'ann', reason: 'x', brakeId: 'b1', mode: 'cancel-cells', scope: { ring: 2 } },
  ],
  [
    ['brake', 'on', '--version', VERSION, '--reason', 'x', '--id', 'b1', '--expires', '2h'],
    'engageBrake',
    { by: 'ann', reason: 'x', brakeId: 'b1', expiresAt: '2026-12-23T12:15:00.000Z' },
  ],
  [
    ['block', VERSION, '--reason', 'x', '--fixed-in', '17.10.202503190906-7b387d336a7.d1c3e017782'],
    'blockVersion',
    { version: VERSION, fixedIn: '17.10.202503190906-7b387d336a7.d1c3e017782', by: 'ann', reason: 'x' },
  ],
  [['unblock', VERSION, '--reason', 'x'], 'unblockVersion', { version: VERSION, by: 'ann', reason: 'x' }],
  [['brake', 'off', '--id', 'b1'], 'releaseBrake', { by: 'ann', brakeId: 'b1' }],
];

describe('an act', () => {
  it.each(acts)('%j sends %s with %j', async (argv, name, payload) => {
    expect(await sent(argv)).toEqual({ name, payload, updateId: undefined });
  });

  it('that a pipeline asks for once has an id made from what is asked, or the one given', async () => {
    const argv = ['graduate', VERSION];
    expect((await sent(argv, { CI_PIPELINE_ID: '4711' }))?.updateId).toBe('4711-graduate');
    expect((await sent([...argv, '--update-id', 'mine'], { CI_PIPELINE_ID: '4711' }))?.updateId).toBe('mine');
  });

  it.each(acts.filter(([argv]) => argv[0] !== 'graduate'))(
    '%j is a new act the second time, in a pipeline too: nothing is confirmed from memory',
    async (argv) => {
      expect((await sent(argv, { CI_PIPELINE_ID: '4711' }))?.updateId).toBeUndefined();
      expect((await sent([...argv, '--update-id', 'mine'], { CI_PIPELINE_ID: '4711' }))?.updateId).toBe('mine');
    },
  );
});

describe('the answer of an act', () => {
  const said = async (status: PackageRolloutStatus) =>
    (await run(['retry', '--ring', '2', VERSION], rollout({ retryRing: status }))).stdout;

  it('is how the rollout stood when it was recorded, and how to see what it leads to', async () => {
    const waitingFor: WaitingFor = {
      kind: 'operator',
      detail: 'halted: 1 failed',
      since: '2026-12-23T10:00:00Z',
      next: [],
    };
    const status = rolloutStatus({ state: 'halted', waitingFor });
    expect(await said(status)).toBe(
      `${VERSION}: ring 2 is looked at again\n` +
        '  at this moment halted, waits for operator: halted: 1 failed\n' +
        `  follow it: cellctl status ${VERSION} --watch\n`,
    );
  });

  it('promises no more than is known: the pass, or the cell cluster, may know better', async () => {
    const cluster = { brakes: [], quarantined: [], autoDeploy: { state: 'running', reason: 'ring 3 is behind' } };
    const override = { by: 'ann', reason: 'x', since: '2026-12-23T10:15:00Z', expiresAt: '2026-12-23T12:15:00Z' };
    const says = async (argv: string[], answer: object) => {
      const target = new Proxy({}, { get: () => async () => answer });
      return (await run([...argv, '--reason', 'x'], { cluster: () => target, rollout: () => target })).stdout;
    };
    expect(await says(['skip', 'a', '--version', VERSION], rolloutStatus())).toContain(
      'a is to be left out of the way',
    );
    expect(await says(['brake', 'off', '--id', 'b'], cluster)).toBe(
      'released b; no other brake of the cluster is on\n',
    );
    expect(await says(['brake', 'off', '--id', 'b', '--version', VERSION], rolloutStatus())).toBe(
      `released b; no other brake of ${VERSION} is on\n`,
    );
    expect(await says(['readmit', 'a'], cluster)).toMatch(/^a is back: .*looked at now.*; else the next pass/);
    const within = 'auto-deploy runs until the drift is back within its limit';
    expect(await says(['resume'], cluster)).toBe(`${within}\n  ring 3 is behind\n`);
    expect(
      await says(['resume', '--expires', '2h'], { ...cluster, autoDeploy: { ...cluster.autoDeploy, override } }),
    ).toBe(`${within}, but only until 12:15:00Z (in 2h)\n  ring 3 is behind\n`);
  });

  it('says that a package has graduated once the cell cluster has said so', async () => {
    const says = async (more: object) =>
      (await run(['graduate', VERSION], rollout({ graduate: { ring0: 'never', ...more } }))).stdout;
    expect(await says({})).toContain(`${VERSION}: graduated; ring 0: never\n`);
    expect(await says({ accepted: false })).toContain(
      `${VERSION}: asked to graduate; the cell cluster has not answered yet; ring 0: never\n`,
    );
  });

  it('has nothing to follow where the rollout has ended', async () => {
    const ended = rolloutStatus({ state: 'aborted', finishedAt: '2026-12-23T10:00:00Z' });
    expect(await said(ended)).toBe(`${VERSION}: ring 2 is looked at again\n  now aborted\n`);
  });
});

describe('a topology', () => {
  it('is sent as it is written; where all of it is in force there is nothing to warn of', async () => {
    const argv = ['cluster', 'apply', 'test/fixtures/topology.example.yaml', '--release-cold-start'];
    const payloads: Record<string, unknown>[] = [];
    const changes = {
      cellsJoined: ['a'],
      cellsLeft: [],
      cellsMoved: [],
      ringsAdded: [0],
      ringsRemoved: [],
      policy: [],
    };
    const applyTopology = async (payload: Record<string, unknown>) => {
      payloads.push(payload);
      return { revision: 1, changes };
    };
    const { exit, stdout, stderr } = await run(argv, {
      cluster: () => ({ applyTopology, status: async () => ({ rings: [] }) }),
    });
    expect(payloads).toMatchObject([{ by: 'ann', releaseColdStart: true, topology: { cluster: 'gitlab-com' } }]);
    expect(stdout).toBe('topology revision 1 is in force: 1 cell joined, ring 0 added\n');
    expect(stderr).toBe('');
    expect(exit).toBe(0);
  });

  it('that will hardly do what its writer wants is sent with a warning', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'topology-'));
    const file = join(folder, 'short.json');
    const signals = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', zScore: 3 } };
    writeFileSync(
      file,
      JSON.stringify(fleet({ 2: 1 }, { 2: { bakeTime: '4h' } }, { health: { baseline: '3h', signals } })),
    );
    const changes = { cellsJoined: [], cellsLeft: [], cellsMoved: [], ringsAdded: [], ringsRemoved: [], policy: [] };
    const applyTopology = async () => ({ revision: 1, changes });
    try {
      const { exit, stderr } = await run(['cluster', 'apply', file], { cluster: () => ({ applyTopology }) });
      expect(stderr).toMatch(/^warning: ring 2: health\.baseline is 3h, .* 4h 10m together/m);
      expect(exit).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ['no-such-file.yaml', 'no-such-file.yaml cannot be read: there is no such file'],
    ['test', 'test cannot be read: it is a folder'],
  ])('that cannot be read is told in words: %s', async (file, says) => {
    expect(await run(['cluster', 'apply', file])).toEqual({ exit: 2, stdout: '', stderr: `${says}\n` });
  });
});
