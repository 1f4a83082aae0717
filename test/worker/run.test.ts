import { IllegalStateError } from '@temporalio/common';
import type { State } from '@temporalio/worker';
import { expect, test, vi } from 'vitest';
import { runThenClose } from '../../worker/run.js';

const LEFT = new IllegalStateError('Worker still in use: Expected 1 reference, but got 2');

function running(state: State, error?: Error) {
  const close = vi.fn(async () => undefined);
  const warn = vi.fn();
  const run = async () => {
    if (error) throw error;
  };
  return { close, warn, ended: runThenClose({ run, getState: () => state }, { warn }, close) };
}

test('a worker that has drained has stopped, although the SDK could not free all of it', async () => {
  const { ended, close, warn } = running('STOPPED', LEFT);
  await ended;
  expect(warn).toHaveBeenCalledOnce();
  expect(close).toHaveBeenCalledOnce();
});

test.each<[string, State, Error]>([
  ['that failed', 'FAILED', LEFT],
  ['whose end says something else', 'STOPPED', new IllegalStateError('not running')],
])('a worker %s has failed, and what it used is closed', async (_what, state, error) => {
  const { ended, close } = running(state, error);
  await expect(ended).rejects.toBe(error);
  expect(close).toHaveBeenCalledOnce();
});

test('a worker that stops as it should warns of nothing', async () => {
  const { ended, warn } = running('STOPPED');
  await ended;
  expect(warn).not.toHaveBeenCalled();
});
