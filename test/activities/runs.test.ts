import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Activities } from '../../src/contract/activities.js';
import { FAILURE } from '../../src/contract/failures.js';
import { cellRolloutId, packageRolloutId, ringRolloutId } from '../../src/contract/ids.js';
import { CELLS_RING } from '../../src/contract/search-attributes.js';
import { activitiesOn, attempt, until } from './environment.js';

let connection: Connection;
let client: Client;
let activities: Activities;
const started: string[] = [];

beforeAll(async () => {
  connection = await Connection.connect({ address: inject('temporalAddress') });
  client = new Client({ connection });
  activities = activitiesOn('http://127.0.0.1:1', { client });
});
afterAll(async () => {
  await Promise.allSettled(started.map((id) => client.workflow.getHandle(id).terminate()));
  await connection.close();
});

/** A run that nobody works on, so that it stays open until it is terminated. */
async function open(type: string, workflowId: string) {
  started.push(workflowId);
  return client.workflow.start(type, { workflowId, taskQueue: `nobody-${randomUUID()}` });
}
const aCell = () => `cell-${randomUUID()}`;

describe('reading what an ended rollout left', () => {
  it('answers that there is nothing where its run left no status, or is not known any more', async () => {
    const version = `v-${randomUUID()}`;
    const run = await open('PackageRollout', packageRolloutId(version));
    await run.terminate('by hand');
    const read = (runId: string) => attempt().run(activities.readRollout, { version, runId });
    expect(await read(run.firstExecutionRunId)).toBeNull();
    expect(await read(randomUUID())).toBeNull();
  });
});

describe('waiting for cells', () => {
  it('answers with the first that ends, a terminated one without a result', async () => {
    const [a, b] = [aCell(), aCell()];
    const [first] = await Promise.all([open('CellRollout', cellRolloutId(a)), open('CellRollout', cellRolloutId(b))]);
    const ends = attempt().run(activities.awaitCells, {
      cells: [
        { cell: a, runId: first.firstExecutionRunId },
        { cell: b, runId: null },
      ],
    });
    await first.terminate('by hand');
    expect(await ends).toEqual([{ cell: a, result: null, problem: expect.stringContaining('by hand') }]);
  });

  it('says of a run that Temporal does not know that it has no result', async () => {
    const cell = aCell();
    const ends = await attempt().run(activities.awaitCells, { cells: [{ cell, runId: null }] });
    expect(ends).toEqual([{ cell, result: null, problem: expect.stringContaining('no such run') }]);
  });

  it('answers at once where there is nothing to wait for', async () => {
    expect(await attempt().run(activities.awaitCells, { cells: [] })).toEqual([]);
  });

  it('stops promptly when its worker shuts down', async () => {
    const cell = aCell();
    await open('CellRollout', cellRolloutId(cell));
    const here = attempt();
    const ends = here.run(activities.awaitCells, { cells: [{ cell, runId: null }] });
    await until(() => here.heartbeats.length > 0);
    here.shutDown();
    await expect(ends).rejects.toMatchObject({ type: FAILURE.watchInterrupted });
  });

  it('gathers results that come together, and asks again where Temporal itself is in trouble', async () => {
    let tries = 0;
    const results: Record<string, () => Promise<unknown>> = {
      [cellRolloutId('a')]: async () => ({ state: 'converged' }),
      [cellRolloutId('b')]: () => new Promise((resolve) => setTimeout(() => resolve('later'), 30)),
      [cellRolloutId('c')]: async () => {
        tries += 1;
        throw new Error('connection reset');
      },
    };
    const fake = {
      workflow: { getHandle: (id: string) => ({ result: results[id] }) },
      withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
    };
    const { awaitCells } = activitiesOn('http://127.0.0.1:1', { client: fake });
    const cells = ['a', 'b', 'c'].map((cell) => ({ cell, runId: null }));
    expect(await attempt().run(awaitCells, { cells })).toEqual([
      { cell: 'a', result: { state: 'converged' }, problem: '' },
      { cell: 'b', result: 'later', problem: '' },
    ]);
    expect(tries).toBe(1);
  });
});

describe('looking at runs', () => {
  it('tells open, closed and unknown ones apart', async () => {
    const ids = [aCell(), aCell(), aCell()].map(cellRolloutId) as [string, string, string];
    await open('CellRollout', ids[0]);
    await (await open('CellRollout', ids[1])).terminate();
    const states = await attempt().run(activities.describeRuns, { workflowIds: ids });
    expect(states.map((one) => one.state)).toEqual(['open', 'closed', 'unknown']);
  });

  it('lists open rollouts of packages by their ids', async () => {
    const id = packageRolloutId(randomUUID());
    await open('PackageRollout', id);
    await open('CellRollout', cellRolloutId(aCell()));
    const list = () => attempt().run(() => activities.listOpenRollouts(), undefined);
    await expect.poll(list, { timeout: 10_000 }).toContain(id);
    expect((await list()).every((one) => one.startsWith('package-rollout/'))).toBe(true);
  });
});

describe('a ring that is taken over', () => {
  const aRing = () => 1_000_000 + Math.floor(Math.random() * 1e9);

  it('has its pass terminated, and no other one over the ring', async () => {
    const ring = aRing();
    const terminate = (pass: string) =>
      attempt().run(activities.terminatePass, { ring, pass, reason: 'a rollback waits' });
    const first = await open('RingRollout', ringRolloutId(ring));
    await terminate(first.firstExecutionRunId);
    expect((await first.describe()).status.name).toBe('TERMINATED');
    const second = await open('RingRollout', ringRolloutId(ring));
    await terminate(first.firstExecutionRunId);
    await terminate(randomUUID());
    expect((await second.describe()).status.name).toBe('RUNNING');
    await attempt().run(activities.terminatePass, { ring, pass: null, reason: 'nobody knows whose it is' });
    expect((await second.describe()).status.name).toBe('TERMINATED');
  });

  it('has its cells listed whose runs are open', async () => {
    const [ring, other] = [aRing(), aRing()];
    const [a, b, c] = [aCell(), aCell(), aCell()];
    const inRing = async (cell: string, value: number) => {
      started.push(cellRolloutId(cell));
      return await client.workflow.start('CellRollout', {
        workflowId: cellRolloutId(cell),
        taskQueue: `nobody-${randomUUID()}`,
        typedSearchAttributes: [{ key: CELLS_RING, value }] as never,
      });
    };
    await Promise.all([inRing(a, ring), inRing(b, other), inRing(c, ring).then((run) => run.terminate())]);
    const list = () => attempt().run(activities.listOpenCells, { ring });
    await expect.poll(list, { timeout: 10_000 }).toEqual([a]);
  });
});
