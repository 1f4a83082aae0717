import { Context, cancellationSignal } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.js';
import { LEDGER_WORKFLOW_ID, ledgerTaskQueue } from '../src/contract/ids.js';
import type { LedgerActivities, LedgerEntry } from '../src/contract/ledger.js';
import { ledgerEntry } from '../src/contract/ledger-entry.js';
import { COUNTED, reportOf } from '../src/domain/ledger/report.js';
import type { LedgerStore } from '../src/ledger/store.js';
import { pauseFor } from './patience.js';
import type { Logger } from './ports.js';
import type { RunsDependencies } from './runs.js';

const ASK_AGAIN_MS = 1_000;

/** Temporal's `TaskQueueType` and `DescribeTaskQueueMode`. */
const OF_ACTIVITIES = 2;
const OF_ALL_PARTITIONS = 1;

/** `tellLedger`: hands entries to the ledger's workflow, and starts that where there is none. See `Activities`. */
export function createTellLedger({ client }: Pick<RunsDependencies, 'client'>): Activities['tellLedger'] {
  return async ({ entries }) => {
    await client.workflow.signalWithStart('Ledger', {
      workflowId: LEDGER_WORKFLOW_ID,
      taskQueue: Context.current().info.taskQueue,
      args: [],
      signal: 'enter',
      signalArgs: [{ entries }],
      staticSummary: 'What was done, decided and failed, on its way to the ledger',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  };
}

/** `isLedgerServed`: whether a worker with the ledger open polls its task queue. See `Activities`. */
export function createIsLedgerServed({ client }: Pick<RunsDependencies, 'client'>): Activities['isLedgerServed'] {
  return async ({ forMs }) => {
    const endMs = Date.now() + forMs;
    while (!(await hasPollers(client))) {
      if (Date.now() >= endMs) return false;
      await pauseFor(ASK_AGAIN_MS, cancellationSignal());
    }
    return true;
  };
}

async function hasPollers(client: RunsDependencies['client']): Promise<boolean> {
  const { workflowNamespace: namespace = 'default', taskQueue } = Context.current().info;
  const { versionsInfo } = await client.workflow.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: ledgerTaskQueue(taskQueue) },
    apiMode: OF_ALL_PARTITIONS,
    taskQueueTypes: [OF_ACTIVITIES],
    reportPollers: true,
  });
  const all = Object.values(versionsInfo ?? {}).flatMap(({ typesInfo }) => Object.values(typesInfo ?? {}));
  return all.some(({ pollers }) => (pollers ?? []).length > 0);
}

/** The activities of a worker that has the ledger open. See `LedgerActivities`. */
export function createLedgerActivities(store: LedgerStore, log: Logger): LedgerActivities {
  return {
    writeLedger: async ({ entries }) => {
      const good = entries.filter((entry) => isReadable(entry, log));
      for (const { entry, problem } of await store.write(good)) {
        log.error({ entry, problem }, 'the ledger’s database refuses an entry; it is left out');
      }
    },
    readLedger: (query) => store.history(query),
    reportLedger: async (query) => reportOf(await store.between(query, COUNTED), query, await store.before(query)),
    readStanding: ({ cluster }) => store.standing(cluster, Date.now()),
  };
}

/** The signal can be sent by hand: what is no entry keeps nothing else out. */
function isReadable(entry: LedgerEntry, log: Logger): boolean {
  const { success } = ledgerEntry().safeParse(entry);
  if (!success) log.error({ entry }, 'what was to be entered in the ledger is no entry; it is left out');
  return success;
}
