import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import type { TemporalClient } from '../../activities/ask-temporal.js';
import { createIsLedgerServed } from '../../activities/ledger.js';

/** A Temporal that says so many times that nobody polls, and then that somebody does. */
function temporal(nobodyTimes: number) {
  let asked = 0;
  const describeTaskQueue = async () => {
    asked += 1;
    const pollers = asked > nobodyTimes ? [{ identity: 'a worker' }] : [];
    return { versionsInfo: { '': { typesInfo: { 2: { pollers } } } } };
  };
  const client = { workflow: { workflowService: { describeTaskQueue } } } as unknown as TemporalClient;
  const isServed = (forMs: number) =>
    new MockActivityEnvironment().run(createIsLedgerServed({ client }), { forMs }) as Promise<boolean>;
  return { isServed, asked: () => asked };
}

it('believes that nobody serves the ledger only after it was asked for as long as it was told to', async () => {
  const { isServed, asked } = temporal(1);
  expect(await isServed(30_000)).toBe(true);
  expect(asked()).toBe(2);
});

it('asks once where nobody waits', async () => {
  const { isServed, asked } = temporal(1);
  expect(await isServed(0)).toBe(false);
  expect(asked()).toBe(1);
});

it('says that nobody does, once the time is over', async () => {
  const { isServed, asked } = temporal(Number.POSITIVE_INFINITY);
  expect(await isServed(1_500)).toBe(false);
  expect(asked()).toBeGreaterThan(1);
});
