import type { ClientError, NotFoundError, TimedOutError, UnreachableError } from '../client/errors.js';
import { FAILURE } from '../contract/failures.js';
import { CLUSTER_WORKFLOW_ID, versionOfPackageRollbackId, versionOfPackageRolloutId } from '../contract/ids.js';
import type { Problem } from '../contract/problem.js';
import { EXIT, type ExitStatus, UsageError } from './exit.js';

/** An error as `cellctl` reports it. */
export interface Failure {
  exit: ExitStatus;
  kind: string;
  message: string;
  problems: Problem[];
  /** What to do next. */
  next: string[];
}

const failure = (exit: ExitStatus, kind: string, message: string, more: Partial<Failure> = {}): Failure => ({
  exit,
  kind,
  message,
  problems: [],
  next: [],
  ...more,
});

/** What an error means for the one who asked. What nobody foresaw is status 1, with its stack. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) {
    const { message, problems, next } = error;
    return failure(EXIT.usage, 'usage', message, { problems, next });
  }
  return ofClient(error) ?? failure(EXIT.failed, 'internal', stackOf(error));
}

export function linesOf({ message, problems, next }: Failure): string[] {
  return [
    message,
    ...problems.map((p) => `  ${p.path || '(whole)'}: found ${p.value}, expected ${p.expected}`),
    ...next.map((line) => `  → ${line}`),
  ];
}

// By name: the classes come with the SDK, and a command that only prints help must not wait for that to load.
function ofClient(error: unknown): Failure | null {
  if (!(error instanceof Error)) return null;
  const known = error as ClientError;
  switch (known.name as ClientError['name']) {
    case 'RejectedError': {
      const { problems } = known as Extract<ClientError, { problems: Problem[] }>;
      return failure(EXIT.failed, 'rejected', 'Rejected: nothing was changed', { problems });
    }
    case 'UnreachableError':
      return unreachable(known as UnreachableError);
    case 'TimedOutError': {
      const { message, next } = known as TimedOutError;
      return failure(EXIT.timedOut, 'timed-out', `${message}; the work goes on`, { next });
    }
    case 'NotFoundError':
      return notFound(known as NotFoundError);
    case 'FailedError':
      return failed(known as Extract<ClientError, { type: string }>);
    default:
      return null;
  }
}

function unreachable({ what, message, recorded, namespace }: UnreachableError): Failure {
  if (namespace !== null) {
    const next = [
      'another one: TEMPORAL_NAMESPACE, or --namespace',
      `to make it: temporal operator namespace create --namespace ${namespace} --retention 30d, then cellctl server setup --namespace ${namespace}`,
    ];
    return failure(EXIT.unreachable, 'unreachable', message, { next });
  }
  if (what === 'temporal') {
    const next = [
      'check TEMPORAL_ADDRESS (or --address), TEMPORAL_NAMESPACE, TEMPORAL_TLS_* and TEMPORAL_API_KEY',
      'on one machine: cellctl server dev',
    ];
    return failure(EXIT.unreachable, 'unreachable', message, { next });
  }
  const next = [
    'start a worker on the same namespace and task queue (CELLS_TASK_QUEUE): npm run worker',
    recorded
      ? 'Temporal has recorded it: it counts as soon as a worker is up'
      : 'then ask again: asked twice, it is done once',
  ];
  return failure(EXIT.unreachable, 'no-worker', message, { next });
}

function notFound({ workflowId, ended }: NotFoundError): Failure {
  if (workflowId === CLUSTER_WORKFLOW_ID) {
    const next = ['cellctl cluster apply FILE'];
    const message = ended ? 'The workflow of the cell cluster was ended by hand' : 'There is no cell cluster here yet';
    return failure(EXIT.failed, ended ? 'ended' : 'not-found', message, { next });
  }
  const returned = versionOfPackageRollbackId(workflowId);
  if (returned !== null) {
    const message = ended ? `The rollback of ${returned} has ended` : `There is no rollback of ${returned}`;
    const next = [`cellctl rollback ${returned} --dry-run --reason "…"`];
    return failure(EXIT.failed, ended ? 'ended' : 'not-found', message, { next });
  }
  const version = versionOfPackageRolloutId(workflowId);
  const next = ended
    ? [
        `cellctl status ${version}`,
        `where it is aborted, rolled-back or expired: cellctl restart ${version} --reason "…"`,
      ]
    : ['cellctl rollouts', `to begin one: cellctl deploy --ring 0 ${version}`];
  const message = ended ? `The rollout of ${version} has ended` : `There is no rollout of ${version}`;
  return failure(EXIT.failed, ended ? 'ended' : 'not-found', message, { next });
}

function failed({ type, message }: Extract<ClientError, { type: string }>): Failure {
  if (type === FAILURE.brakeUnconfirmed) {
    const next = ['the brake stays on: cellctl brake list', 'so does a block: cellctl status'];
    return failure(EXIT.failed, 'brake-unconfirmed', message, { next });
  }
  return failure(EXIT.failed, 'failed', message, { next: NEXT[type] ?? [] });
}

const NEXT: Record<string, string[]> = {
  Busy: ['too many callers wait on this workflow: try again in a moment'],
  [FAILURE.healthUnavailable]: ['check PROMETHEUS_URL and PROMETHEUS_TOKEN, and Prometheus itself'],
  [FAILURE.ampUnavailable]: ['check AMP_URL, and AMP itself'],
  [FAILURE.ledgerUnserved]: [
    'start a worker that opens it: npm run worker; one whose LEDGER_URL is off does not, and of several with the embedded ledger only one does',
    'what the workers say of the ledger stands in their logs',
  ],
  [FAILURE.ledgerUnavailable]: ['check LEDGER_URL of the workers, and that PostgreSQL; nothing is lost meanwhile'],
  [FAILURE.accessDenied]: ['check AMP_TOKEN'],
};

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
