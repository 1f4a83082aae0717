import { describe, expect, it } from 'vitest';
import { run, VERSION } from './harness.js';

interface Sent {
  name: string;
  payload: unknown;
  updateId: unknown;
}

/** Runs a command and answers what it sent. */
async function sent(argv: string[], env: Record<string, string> = {}): Promise<Sent | undefined> {
  const all: Sent[] = [];
  const answer = { state: 'waiting', waitingFor: null, brakes: [], brakeId: 'b', inFlight: [], ring0: 'never' };
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

describe('a topology', () => {
  it('is sent as it is written, with the fields that are not in force as warnings', async () => {
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
    const { exit, stdout, stderr } = await run(argv, { cluster: () => ({ applyTopology }) });
    expect(payloads).toMatchObject([{ by: 'ann', releaseColdStart: true, topology: { cluster: 'gitlab-com' } }]);
    expect(stdout).toBe('topology revision 1 is in force: 1 cells joined, rings 0 added\n');
    expect(stderr).toContain('warning: health.signals is not in force in this version\n');
    expect(exit).toBe(0);
  });
});
