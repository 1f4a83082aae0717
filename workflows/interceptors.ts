import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowInterceptors, WorkflowInternalsInterceptor } from '@temporalio/workflow';
import { closedRun } from '../src/contract/closed-run.js';
import { AHEAD_OF_ITS_TASK } from '../src/contract/failures.js';

type Activation = Parameters<NonNullable<WorkflowInternalsInterceptor['activate']>>[0]['activation'];

/**
 * Keeps a run from acting on events that no workflow task has brought. A query that waited while its worker died brings the
 * history as it is by then, with events after the last workflow task; the SDK has the run act on those as well, keeps what
 * it asks for, and sends it with what the next task brings. What came as two is one when it is replayed: the order differs,
 * and the run cannot be replayed ever again. (The Go SDK knows the same trouble: temporalio/sdk-go#755.)
 *
 * Such events are left alone. An activation that throws then ends the query and drops the run from the cache; the task that
 * follows replays it as it was. Where the run is over no task will follow: whoever knows that says so with the query, and is
 * answered what the last one left.
 */
export const interceptors = (): WorkflowInterceptors => {
  let before: Moment | null = null;
  /** Where the history ends whose last events were left alone. */
  let ahead: Moment | null = null;
  return {
    internals: [
      {
        activate(input, next) {
          const { activation } = input;
          const queries = activation.jobs?.flatMap((job) => job.queryWorkflow ?? []) ?? [];
          if (queries.length > 0) {
            const { length } = ahead ?? {};
            const mayAnswer = length === undefined || queries.every((query) => isOfClosedRun(query, length));
            if (!mayAnswer) throw new Error(AHEAD_OF_ITS_TASK);
            return next(input);
          }
          const now = { started: startOf(activation), length: activation.historyLength ?? 0 };
          // One activation comes in parts.
          if (ahead !== null && isSame(now, ahead)) return;
          if (ahead !== null) throw new Error(AHEAD_OF_ITS_TASK);
          if (!activation.isReplaying && before?.started === now.started && now.length > before.length) {
            ahead = now;
            return;
          }
          before = now;
          return next(input);
        },
      },
    ],
  };
};

/** When the workflow task began that an activation belongs to: every task has its own; and how long the history was. */
interface Moment {
  started: string;
  length: number;
}

const isSame = (a: Moment, b: Moment): boolean => a.started === b.started && a.length === b.length;

/** Time alone would not do: it stands still where the server's clock goes back. The size is told with each start. */
const startOf = ({ timestamp, historySizeBytes }: Activation): string =>
  `${timestamp?.seconds}.${timestamp?.nanos}/${historySizeBytes}`;

type Query = NonNullable<NonNullable<Activation['jobs']>[number]['queryWorkflow']>;

function isOfClosedRun({ arguments: args }: Query, length: number): boolean {
  const last = args?.at(-1);
  if (!last) return false;
  try {
    return defaultPayloadConverter.fromPayload(last) === closedRun(length);
  } catch {
    return false;
  }
}
