import { test } from 'vitest';
import { ledgerBatchId, ledgerReadId } from '../../src/contract/ids.js';
import { fleet, V1, V2 } from '../support/fleet.js';
import { newWorld, type World } from '../support/world.js';
import { recordHistories } from './record.js';

const version = process.env.RECORD_HISTORIES;

/** The ledger gives entries away only where its database is gone for long; and nobody reads it here. */
async function startLedgerRuns(world: World): Promise<void> {
  const at = new Date().toISOString();
  const entry = { id: 'a/1', at, cluster: 'test', kind: 'act', act: 'engageBrake', by: 'ops' };
  const start = {
    taskQueue: world.taskQueue,
    workflowId: ledgerBatchId('recorded/1', 'recorded/1'),
    args: [{ entries: [entry] }],
  };
  const batch = await world.client.workflow.start('LedgerBatch', start);
  const read = { taskQueue: world.taskQueue, workflowId: ledgerReadId('recorded'), args: [{ history: { limit: 1 } }] };
  const reading = await world.client.workflow.start('LedgerRead', read);
  await reading.result().catch(() => undefined);
  await world.until('a batch that waits', async () => (await batch.describe()).historyLength > 4);
}

// Recording is an act: `RECORD_HISTORIES=0.1.0 npx vitest run test/replay/record.test.ts`.
test.runIf(version)('records the histories of a good rollout', async () => {
  const world = await newWorld({ topology: fleet({ 2: 3, 3: 2 }, { 2: { bakeTime: '1s', gracePeriod: '1s' } }) });
  await world.apply();
  await world.deploy(V1);
  await world.cells.rollout(V1).graduate({ by: 'release-tools' });
  await world.rolloutEnds(V1);
  const rollback = world.cells.rollback(V1);
  await rollback.start({ by: 'ops', reason: 'a look back', ring: 0 });
  await rollback.result();
  await startLedgerRuns(world);
  await recordHistories(world, version ?? '', 'good');
  await world.close();
});

test.runIf(version)('records the histories of a halted, braked, retried and aborted rollout', async () => {
  const world = await newWorld({
    topology: fleet({ 2: 4 }, { 2: { maxParallel: 2 } }),
    simulator: { durationMs: 800 },
  });
  await world.apply();
  await world.fault({ kind: 'job-fails', cell: 'c2-2', jobKind: 'configure', times: 1 });
  const rollout = world.cells.rollout(V2);
  await rollout.graduate({ by: 'release-tools' });
  const state = (want: string) => async () => (await rollout.status()).state === want;
  await world.until('a job', async () => (await world.jobs()).length > 0);
  await world.cells.cluster().engageBrake({ by: 'ops', reason: 'a look', brakeId: 'b', mode: 'cancel-cells' });
  await world.until('the brake', state('braked'));
  await world.cells.cluster().releaseBrake({ by: 'ops', brakeId: 'b' });
  await world.until('the halt', state('halted'));
  await rollout.retryRing({ ring: 2, by: 'ops' });
  await world.until('the next cells', async () => (await rollout.status()).rings[0]?.state === 'rolling');
  await rollout.abort({ by: 'ops', reason: 'enough', rollback: true });
  await world.rolloutEnds(V2);
  await recordHistories(world, version ?? '', 'bad');
  await world.close();
});
