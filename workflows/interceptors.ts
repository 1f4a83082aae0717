import type { WorkflowInterceptors, WorkflowInternalsInterceptor } from '@temporalio/workflow';
import { AHEAD_OF_ITS_TASK } from '../src/contract/failures.js';

type Activation = Parameters<NonNullable<WorkflowInternalsInterceptor['activate']>>[0]['activation'];

/**
 * Keeps a run from acting on events that no workflow task has brought. A query that waited while its worker died brings the
 * history as it is by then, with events after the last workflow task; the SDK has the run act on those as well, keeps what
 * it asks for, and sends it with what the next task brings. What came as two is one when it is replayed: the order differs,
 * and the run cannot be replayed ever again. (The Go SDK knows the same trouble: temporalio/sdk-go#755.)
 *
 * An activation that throws ends the query and drops the run from the cache; the task that follows replays it as it was.
 */
export const interceptors = (): WorkflowInterceptors => {
  let before: { started: string; length: number } | null = null;
  return {
    internals: [
      {
        activate(input, next) {
          const { activation } = input;
          if (activation.jobs?.some((job) => job.queryWorkflow)) return next(input);
          const now = { started: startOf(activation), length: activation.historyLength ?? 0 };
          const isAhead = !activation.isReplaying && before?.started === now.started && now.length > before.length;
          if (isAhead) throw new Error(AHEAD_OF_ITS_TASK);
          before = now;
          return next(input);
        },
      },
    ],
  };
};

/** When the workflow task began that an activation belongs to: every task has its own. */
const startOf = ({ timestamp }: Activation): string => `${timestamp?.seconds}.${timestamp?.nanos}`;
