import { CancellationScope, setHandler } from '@temporalio/workflow';

type Handler = (...args: unknown[]) => unknown;

/**
 * Sets the handler of a signal or update. Handlers run in the root scope, and once Temporal's cancel has cancelled that,
 * every timer, signal and activity of a handler would fail at once: so they run outside its reach.
 */
export const handle = ((definition: never, handler: Handler, options: never) => {
  const steady: Handler = (...args) => CancellationScope.nonCancellable(async () => handler(...args));
  setHandler(definition, steady as never, options);
}) as typeof setHandler;
