import { isGrpcServiceError, QueryNotRegisteredError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, NamespaceNotFoundError, WorkflowNotFoundError } from '@temporalio/common';
import { AHEAD_OF_ITS_TASK, FAILURE } from '../contract/failures.js';
import type { Problem } from '../contract/problem.js';
import {
  type ClientError,
  FailedError,
  isClientError,
  NotFoundError,
  RejectedError,
  UnreachableError,
} from './errors.js';

/** The codes of gRPC that mean something to a caller. */
const GRPC = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const MAX_DEPTH = 5;

/** How the server calls an update that was accepted by a run which then ended without answering. */
const RUN_ENDED = 'AcceptedUpdateCompletedWorkflow';

/** Turns whatever a call threw into the closed set; what is in none of its kinds is a bug and stays as it is. */
export function toClientError(error: unknown, workflowId: string): ClientError | unknown {
  if (isClientError(error)) return error;
  if (error instanceof WorkflowUpdateFailedError) return ofUpdate(error, workflowId);
  if (error instanceof WorkflowNotFoundError) {
    return new NotFoundError(workflowId, /already completed/i.test(error.message), { cause: error });
  }
  if (error instanceof NamespaceNotFoundError) {
    return noNamespace(error.namespace, error);
  }
  if (error instanceof QueryNotRegisteredError) return new FailedError('Query', error.message, { cause: error });
  return ofGrpc(error, workflowId) ?? error;
}

function noNamespace(namespace: string, cause: Error): UnreachableError {
  const error = new UnreachableError('temporal', `Temporal has no namespace ${namespace}`, { cause });
  error.namespace = namespace;
  return error;
}

/** Trouble on the way that may be over in a moment, as opposed to an answer. */
export function isPassing(error: unknown): boolean {
  return grpcCode(error)?.code === GRPC.unavailable || isDeadline(error) || isCollision(error);
}

/** What came while its run took another turn, such as its end: asked again, it meets what is there now. */
export function isCollision(error: unknown): boolean {
  if (error instanceof QueryNotRegisteredError) return error.message.includes(AHEAD_OF_ITS_TASK);
  const found = grpcCode(error);
  return found?.code === GRPC.failedPrecondition && /workflow task failure/i.test(found.details);
}

/** Whether a deadline (ours, or the one every call has) ended the call. */
export function isDeadline(error: unknown): boolean {
  const code = grpcCode(error)?.code;
  return code === GRPC.deadlineExceeded || code === GRPC.cancelled;
}

function ofUpdate({ cause, message }: WorkflowUpdateFailedError, workflowId: string): ClientError {
  if (!(cause instanceof ApplicationFailure)) return new FailedError('Unknown', cause?.message ?? message, { cause });
  if (cause.type === FAILURE.rejected) return new RejectedError(problemsOf(cause));
  if (cause.type === RUN_ENDED) return new NotFoundError(workflowId, true, { cause });
  return new FailedError(cause.type ?? 'Unknown', cause.message, { cause });
}

function problemsOf({ details, message }: ApplicationFailure): Problem[] {
  const found = [details?.[0]].flat().filter(isProblem);
  return found.length > 0 ? found : [{ path: '', value: 'this message', expected: message }];
}

function isProblem(value: unknown): value is Problem {
  if (value === null || typeof value !== 'object') return false;
  const { path, value: shown, expected } = value as Record<string, unknown>;
  return typeof path === 'string' && typeof shown === 'string' && typeof expected === 'string';
}

function ofGrpc(error: unknown, workflowId: string): ClientError | null {
  const found = grpcCode(error);
  if (!found) return null;
  const { code, details } = found;
  const cause = { cause: error };
  switch (code) {
    case GRPC.deadlineExceeded:
    case GRPC.cancelled:
      return new UnreachableError('worker', `No worker answers for ${workflowId}`, cause);
    case GRPC.notFound: {
      const [, namespace] = /^Namespace (\S+) is not found/.exec(details) ?? [];
      return namespace === undefined ? null : noNamespace(namespace, error as Error);
    }
    case GRPC.failedPrecondition:
      return new UnreachableError('worker', `No worker answers for ${workflowId}: ${details}`, cause);
    case GRPC.unavailable:
      return new UnreachableError('temporal', `Temporal cannot be reached: ${details}`, cause);
    case GRPC.unauthenticated:
    case GRPC.permissionDenied:
      return new UnreachableError('temporal', `Temporal refuses this client: ${details}`, cause);
    case GRPC.resourceExhausted:
      return new FailedError('Busy', details, cause);
    case GRPC.invalidArgument:
      return new FailedError('InvalidArgument', details, cause);
    default:
      return null;
  }
}

/** The gRPC status at the bottom of an error; the SDK wraps it, sometimes twice. */
function grpcCode(error: unknown): { code: number; details: string } | null {
  for (let at = error, depth = 0; at instanceof Error && depth < MAX_DEPTH; at = at.cause, depth++) {
    if (isGrpcServiceError(at)) return { code: at.code, details: at.details || at.message };
  }
  return null;
}
