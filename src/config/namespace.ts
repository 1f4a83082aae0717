import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTE_NAMES, SEARCH_ATTRIBUTES, type SearchAttributeName } from '../contract/search-attributes.js';

export const RETENTION_DAYS = 30;

const RETENTION_MS = RETENTION_DAYS * 24 * 60 * 60 * 1000;
/** Temporal's `IndexedValueType`. */
const TYPE_NUMBER = { KEYWORD: 2, INT: 3 } as const;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const POLL_MS = 500;
// The server's parts look at namespaces anew every ten seconds, each by itself. Only the frontend can be asked whether
// it knows an attribute yet; a workflow that sets it too early is wedged by the part that does not.
const SETTLE_MS = 11_000;
const USABLE_TIMEOUT_MS = 120_000;

/** Why a namespace cannot be set up, in words for whoever asked. */
export class SetupFailed extends Error {
  override name = 'SetupFailed';
}

export interface NamespaceSetup {
  registered: SearchAttributeName[];
  retentionChanged: boolean;
}

/** Search attributes of the contract that the namespace does not have, or has with another type. */
export async function missingSearchAttributes(
  connection: Connection,
  namespace: string,
): Promise<SearchAttributeName[]> {
  const known = await knownAttributes(connection, namespace);
  return SEARCH_ATTRIBUTE_NAMES.filter((name) => known[name] !== typeNumber(name));
}

/** Tells a namespace from one of the same name on another server, or of before its database was lost. */
export async function namespaceId(connection: Connection, namespace: string): Promise<string> {
  const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace });
  return namespaceInfo?.id ?? '';
}

/**
 * Registers the search attributes that are missing, waits until they can be used (some ten seconds where there were any),
 * and sets the retention to 30 days. Does nothing where all is well. Throws where an attribute exists with another type.
 */
export async function setupNamespace(connection: Connection, namespace: string): Promise<NamespaceSetup> {
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length > 0) await register(connection, namespace, missing);
  return { registered: missing, retentionChanged: await setRetention(connection, namespace) };
}

async function register(connection: Connection, namespace: string, missing: SearchAttributeName[]): Promise<void> {
  const known = await knownAttributes(connection, namespace);
  const wrong = missing.filter((name) => known[name] !== undefined);
  if (wrong.length > 0) {
    const list = wrong.map((name) => `${name} (must be ${SEARCH_ATTRIBUTES[name]})`).join(', ');
    throw new SetupFailed(
      `Namespace ${namespace} has search attributes of another type: ${list}. Remove or rename them first.`,
    );
  }
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, typeNumber(name)]));
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  const settled = sleep(SETTLE_MS);
  await untilQueryable(connection, namespace, missing);
  await settled;
}

async function untilQueryable(connection: Connection, namespace: string, names: SearchAttributeName[]): Promise<void> {
  const query = names.map((name) => `${name} IS NULL`).join(' AND ');
  const deadline = Date.now() + USABLE_TIMEOUT_MS;
  for (;;) {
    try {
      await connection.workflowService.countWorkflowExecutions({ namespace, query });
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        throw new SetupFailed(`Temporal does not know the search attributes ${names.join(', ')} yet`, { cause: error });
      }
      await sleep(POLL_MS);
    }
  }
}

async function setRetention(connection: Connection, namespace: string): Promise<boolean> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000 === RETENTION_MS) return false;
  const workflowExecutionRetentionTtl = msToTs(RETENTION_MS);
  await connection.workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl } });
  return true;
}

/** Name → number of its type. */
async function knownAttributes(connection: Connection, namespace: string): Promise<Record<string, number>> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return customAttributes ?? {};
  } catch (error) {
    // Temporal Cloud keeps its operator service to itself.
    if (!isGrpcServiceError(error) || (error.code !== PERMISSION_DENIED && error.code !== UNIMPLEMENTED)) throw error;
    const { keys } = await connection.workflowService.getSearchAttributes({});
    return keys ?? {};
  }
}

const typeNumber = (name: SearchAttributeName): number => TYPE_NUMBER[SEARCH_ATTRIBUTES[name]];
