import { CancellationScope, log, type SignalDefinition, setHandler } from '@temporalio/workflow';
import type { Problem } from '../../src/contract/problem.js';
import { misfit } from '../../src/domain/shapes.js';

type Handler = (...args: unknown[]) => unknown;

/**
 * Sets the handler of a signal or update. Handlers run in the root scope, and once Temporal's cancel has cancelled that,
 * every timer, signal and activity of a handler would fail at once: so they run outside its reach.
 */
export const handle = ((definition: never, handler: Handler, options: never) => {
  const steady: Handler = (...args) => CancellationScope.nonCancellable(async () => handler(...args));
  setHandler(definition, steady as never, options);
}) as typeof setHandler;

type File = (message: string, problem: Problem) => void;

/** Sets the handler of one of our own signals. What somebody sends by hand and does not fit is filed, and dropped. */
export function handleOurs<Args extends [unknown?]>(
  definition: SignalDefinition<Args>,
  handler: (...args: Args) => unknown,
  file: File = (message, problem) => log.warn('a message was rejected', { message, ...problem }),
): void {
  const guarded = (...args: Args): unknown => {
    const problem = misfit(definition.name, args[0]);
    return problem ? file(definition.name, problem) : handler(...args);
  };
  handle(definition, guarded as never, { description: 'Between the coordinator’s own workflows.' });
}
