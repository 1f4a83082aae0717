import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { NotFoundError, RejectedError, UnreachableError } from '../../src/client/index.js';
import { fakeClient } from './fake-client.js';

const VERSION = '17.10.202503180906-6a387d336a7.c1c3e017782';
const ROLLOUT = `package-rollout/${VERSION}`;
const problem = { path: 'ring', value: '9', expected: 'a ring inside the perimeter: 0, 1' };
const rejection = (details: unknown[]) => () => {
  throw new WorkflowUpdateFailedError(
    'failed',
    ApplicationFailure.create({ type: 'Rejected', message: 'no', details, nonRetryable: true }),
  );
};
const endedRun = () => {
  throw new WorkflowNotFoundError('workflow execution already completed', ROLLOUT, undefined);
};
const silence = () => {
  throw Object.assign(new Error('4 DEADLINE_EXCEEDED'), { code: 4, details: 'deadline', metadata: {} });
};
const nowhere = () => {
  const details = 'Namespace fresh is not found.';
  throw Object.assign(new Error(`5 NOT_FOUND: ${details}`), { code: 5, details, metadata: {} });
};
const brakeId = (payload: unknown) => (payload as { brakeId: string }).brakeId;

describe('a brake', () => {
  it('is a signal first and an update then, with one brakeId in both', async () => {
    const { cells, calls } = fakeClient({ update: () => ({ brakeId: 'x', inFlight: [] }) });
    await cells.rollout(VERSION).engageBrake({ by: 'Ann Lee', reason: 'errors' }, { updateId: '7-engageBrake' });
    expect(calls.map((c) => [c.kind, c.workflowId, c.name, c.updateId])).toEqual([
      ['signal', ROLLOUT, 'engageBrake', undefined],
      ['update', ROLLOUT, 'engageBrake', '7-engageBrake'],
    ]);
    expect(brakeId(calls[0]?.payload)).toMatch(/^Ann-Lee-\d{8}T\d{6}-[0-9a-f]{8}$/);
    expect(calls[1]?.payload).toEqual(calls[0]?.payload);
  });

  it('keeps the id that it was given', async () => {
    const { cells, calls } = fakeClient();
    await cells.cluster().engageBrake({ by: 'ann', reason: 'errors', brakeId: 'b1', scope: { ring: 3 } });
    expect(calls.map((c) => brakeId(c.payload))).toEqual(['b1', 'b1']);
  });

  it('that no worker confirms is known to be recorded', async () => {
    const { cells } = fakeClient({ update: silence });
    const asked = cells.cluster().engageBrake({ by: 'ann', reason: 'errors', brakeId: 'b1' });
    await expect(asked).rejects.toMatchObject({ name: 'UnreachableError', what: 'worker', recorded: true });
    await expect(asked).rejects.toThrow('nobody confirms brake b1');
  });
});

describe('a block', () => {
  const payload = { version: VERSION, by: 'ann', reason: 'broken' };

  it('is a signal first and an update then', async () => {
    const { cells, calls } = fakeClient({ update: () => ({ inFlight: [] }) });
    await cells.cluster().blockVersion(payload);
    expect(calls.map((c) => [c.kind, c.workflowId, c.name, c.payload])).toEqual([
      ['signal', 'cell-cluster', 'blockVersion', payload],
      ['update', 'cell-cluster', 'blockVersion', payload],
    ]);
  });

  it('that no worker confirms is known to be recorded', async () => {
    const { cells } = fakeClient({ update: silence });
    await expect(cells.cluster().blockVersion(payload)).rejects.toMatchObject({ what: 'worker', recorded: true });
  });
});

describe('an abort', () => {
  const payload = { by: 'ann', reason: 'broken' };

  it('is a signal first and an update then', async () => {
    const { cells, calls } = fakeClient();
    await cells.rollout(VERSION).abort(payload);
    expect(calls.map((c) => [c.kind, c.name, c.payload])).toEqual([
      ['signal', 'abort', payload],
      ['update', 'abort', payload],
    ]);
  });

  it('whose signal has ended the rollout already answers how it ended', async () => {
    for (const update of [endedRun, rejection([problem])]) {
      const { cells } = fakeClient({ update, status: 'COMPLETED', result: () => ({ state: 'aborted' }) });
      await expect(cells.rollout(VERSION).abort(payload)).resolves.toEqual({ state: 'aborted' });
    }
  });

  it('of a rollout that ended otherwise is an error', async () => {
    const { cells } = fakeClient({ update: endedRun, status: 'COMPLETED', result: () => ({ state: 'converged' }) });
    await expect(cells.rollout(VERSION).abort(payload)).rejects.toEqual(new NotFoundError(ROLLOUT, true));
  });
});

describe('an act that may open a rollout', () => {
  it('uses the open run, or starts one by the contract’s type, id and task queue', async () => {
    const { cells, calls } = fakeClient();
    const rollout = cells.rollout(VERSION);
    const asked = await rollout.deployRing(
      { ring: 0, by: 'ci' },
      { updateId: '7-deployRing-0', chartVersion: '8.10.3' },
    );
    await rollout.graduate({ by: 'ci' });
    expect(asked.updateId).toBe('7-deployRing-0');
    expect(calls).toMatchObject([
      {
        kind: 'update-with-start',
        workflowId: ROLLOUT,
        name: 'deployRing',
        payload: { ring: 0, by: 'ci' },
        start: {
          type: 'PackageRollout',
          args: [{ version: VERSION, chartVersion: '8.10.3' }],
          taskQueue: 'cells',
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        },
      },
      { kind: 'update-with-start', name: 'graduate', start: { args: [{ version: VERSION }] } },
    ]);
  });

  it('answers a rejection with every problem', async () => {
    const other = { path: 'by', value: 'missing', expected: 'the name of who asks' };
    for (const details of [[problem], [[problem, other]]]) {
      const { cells } = fakeClient({ update: rejection(details) });
      const asked = await cells.rollout(VERSION).deployRing({ ring: 9, by: 'ci' });
      await expect(asked.answer()).rejects.toEqual(new RejectedError(details.flat()));
    }
  });
});

describe('a topology', () => {
  it('travels as it is while it is small, and compressed above 100 KB', async () => {
    const { cells, calls } = fakeClient();
    const cell = (i: number) => ({ id: `cell-${i}`, tenant: `t${i}`, url: `https://cell-${i}.example` });
    const many = { rings: [{ ring: 0, cells: Array.from({ length: 2_000 }, (_, i) => cell(i)) }] };
    await cells.cluster().applyTopology({ topology: { rings: [] }, by: 'ann' });
    await cells.cluster().applyTopology({ topology: many, by: 'ann' });
    expect(calls[0]).toMatchObject({ workflowId: 'cell-cluster', payload: { topology: { rings: [] }, by: 'ann' } });
    expect(Object.keys(calls[1]?.payload as object)).toEqual(['gzip', 'by']);
    expect(calls[1]?.start).toMatchObject({ type: 'CellCluster', args: [] });
  });
});

describe('a status', () => {
  it('of an open rollout is asked of it, and of an ended one read from its result', async () => {
    const open = fakeClient({ query: () => 'now' });
    await expect(open.cells.rollout(VERSION).status()).resolves.toBe('now');
    const ended = fakeClient({ status: 'COMPLETED', result: () => 'at the end' });
    await expect(ended.cells.rollout(VERSION).status()).resolves.toBe('at the end');
  });

  it('of a rollout that was terminated is the last it had, and says so', async () => {
    const { cells } = fakeClient({ status: 'TERMINATED', query: () => ({ state: 'rolling-out' }) });
    await expect(cells.rollout(VERSION).status()).resolves.toEqual({ state: 'rolling-out', cutOff: 'terminated' });
  });

  it('of a cluster that was terminated is none: its brakes hold nothing any more', async () => {
    const { cells } = fakeClient({ status: 'TERMINATED', query: () => ({ brakes: [] }) });
    await expect(cells.cluster().status()).rejects.toMatchObject({ name: 'NotFoundError', ended: true });
  });

  it('and nothing else that it says holds: not whether a package is everywhere, nor what would come', async () => {
    const { cells } = fakeClient({ status: 'TERMINATED', query: () => ({ there: true, never: null }) });
    const cluster = cells.cluster();
    const ended = { name: 'NotFoundError', ended: true };
    await expect(cluster.isEverywhere({ version: VERSION })).rejects.toMatchObject(ended);
    await expect(cluster.forecast({ version: VERSION })).rejects.toMatchObject(ended);
    await expect(cluster.judgeTopology({ topology: {}, by: 'ann' })).rejects.toMatchObject(ended);
  });

  it('in a namespace that Temporal does not have names it', async () => {
    const { cells } = fakeClient({ query: nowhere });
    await expect(cells.cluster().status()).rejects.toMatchObject({ name: 'UnreachableError', namespace: 'fresh' });
  });

  it('that no worker answers says so', async () => {
    const { cells } = fakeClient({ query: silence });
    await expect(cells.cluster().status()).rejects.toBeInstanceOf(UnreachableError);
  });
});
