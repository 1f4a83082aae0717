import type { Problem } from '../contract/problem.js';

/** The closed set of what a call of this client throws. */
export type ClientError = RejectedError | UnreachableError | TimedOutError | NotFoundError | FailedError;

/** What was asked for makes no sense, or not now; nothing was changed. */
export class RejectedError extends Error {
  override name = 'RejectedError';
  constructor(readonly problems: Problem[]) {
    super(problems.map((p) => `${p.path || 'the message'}: found ${p.value}, expected ${p.expected}`).join('\n'));
  }
}

/** Nobody answered: Temporal itself, or no worker behind it. */
export class UnreachableError extends Error {
  override name = 'UnreachableError';
  /** The message was recorded all the same, and counts as soon as a worker is there. */
  recorded = false;
  /** The namespace that Temporal does not have, where that is the trouble. */
  namespace: string | null = null;
  constructor(
    readonly what: 'temporal' | 'worker',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The caller's own limit ran out; what was asked for goes on. */
export class TimedOutError extends Error {
  override name = 'TimedOutError';
  /** How to go on waiting. */
  next: string[] = [];
  constructor(
    readonly afterMs: number,
    message: string,
  ) {
    super(message);
  }
}

/** There is no such workflow, or it has ended and takes no more messages. */
export class NotFoundError extends Error {
  override name = 'NotFoundError';
  constructor(
    readonly workflowId: string,
    readonly ended: boolean,
    options?: ErrorOptions,
  ) {
    super(`${workflowId} ${ended ? 'has ended' : 'does not exist'}`, options);
  }
}

/** The act was accepted and failed; `type` is one of our failure types (`BrakeUnconfirmed`), or the server's own. */
export class FailedError extends Error {
  override name = 'FailedError';
  constructor(
    readonly type: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const isClientError = (error: unknown): error is ClientError =>
  [RejectedError, UnreachableError, TimedOutError, NotFoundError, FailedError].some((kind) => error instanceof kind);
