import type { Info } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities, createDependencies, type Logger } from '../../activities/index.js';
import type { Activities } from '../../src/contract/activities.js';

/** Tries quickly and gives up after a second and a half, so that tests of trouble are short. */
export const SHORT_PATIENCE = { totalMs: 1_500, firstPauseMs: 20, maxPauseMs: 200 };

export const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export function activitiesOn(ampUrl: string, overrides: { client?: unknown; log?: Logger } = {}): Activities {
  const client = (overrides.client ?? {}) as Pick<Client, 'workflow' | 'withAbortSignal'>;
  const dependencies = createDependencies({ ampUrl, ampToken: 't', client, log: overrides.log ?? silentLog });
  return createActivities({ ...dependencies, patience: SHORT_PATIENCE });
}

/** One attempt of an activity, with what it heartbeats. */
export function attempt(info: Partial<Info> = {}) {
  const environment = new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
  const heartbeats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => heartbeats.push(structuredClone(details)));
  return {
    heartbeats,
    run: <A, R>(activity: (argument: A) => Promise<R>, argument: A): Promise<R> =>
      environment.run(activity, argument) as Promise<R>,
    /** The workflow asks to cancel. */
    cancel: () => environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true })),
    shutDown: () => environment.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true })),
    terminate: () => environment.cancel('NOT_FOUND', new ActivityCancellationDetails({ notFound: true })),
  };
}

/** Waits until a condition holds; fails after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const startMs = Date.now();
  while (!condition()) {
    if (Date.now() - startMs > 5_000) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
