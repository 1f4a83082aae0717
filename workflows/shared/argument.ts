import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import { FAILURE } from '../../src/contract/failures.js';
import { misfitArgument } from '../../src/domain/shapes.js';

/**
 * Ends a run that was started with an argument, or under an id, that cannot be: it would else hold the id of a ring or
 * a cell for ever. Throws `BadArgument`.
 */
export function mustBeStartedRightly(
  workflow: 'RingRollout' | 'CellRollout',
  argument: unknown,
  id: () => string,
): void {
  const wrong = misfitArgument(workflow, argument);
  if (wrong) fail(`${wrong.path || 'the argument'} is ${wrong.value}; expected ${wrong.expected}`);
  const { workflowId } = workflowInfo();
  if (workflowId !== id()) fail(`its id is ${workflowId}; expected ${id()}`);
}

function fail(message: string): never {
  throw ApplicationFailure.nonRetryable(message, FAILURE.badArgument);
}
