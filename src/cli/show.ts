import { isClientError } from '../client/errors.js';
import type { CellsClient, RollbackClient, SeenRollback } from '../client/index.js';
import type { ClusterStatus } from '../contract/status.js';
import { clusterTree } from './cluster-tree.js';
import type { Context, Outcome } from './context.js';
import { hasEnded } from './ended.js';
import { clusterFacts, rolloutFacts } from './facts.js';
import { type FollowOptions, follow } from './follow.js';
import { hasColours, type Io } from './io.js';
import { NO_COLOURS, type View } from './paint.js';
import { rolloutTree, type SeenPackage } from './tree.js';

/** How the status of a rollout is followed, by whoever waits for what. */
export const rolloutFollowing = { tree: rolloutTree, facts: rolloutFacts, isOver: hasEnded };

const clusterFollowing = { tree: clusterTree, facts: clusterFacts, isOver: () => false };

export async function showCluster(context: Context): Promise<Outcome> {
  const status = await (await context.cells()).cluster().status();
  return { json: status, text: clusterTree(status, await viewOf(context.io)) };
}

export async function showRollout(context: Context, version: string): Promise<Outcome> {
  const cells = await context.cells();
  const [rollout, rollback] = await Promise.allSettled([expecting(cells, version), rollbackOf(cells, version)]).then(
    ([a, b]) => [a, b.status === 'fulfilled' ? b.value : null] as const,
  );
  // A package that nobody rolled out may be taken back all the same.
  if (rollout.status === 'rejected' && (rollback === null || !isNotFound(rollout.reason))) throw rollout.reason;
  const status = rollout.status === 'fulfilled' ? rollout.value : null;
  const view = await viewOf(context.io);
  const { rollbackTree } = await import('./rollback-tree.js');
  return {
    json: status === null ? rollback : { ...status, ...(rollback ? { rollback } : {}) },
    text: [
      ...(status ? rolloutTree(status, view) : []),
      ...(status && rollback ? [''] : []),
      ...(rollback ? rollbackTree(rollback, view) : []),
    ],
  };
}

/** How a package stands by its rollout, and by the cluster when each ring should have it. */
async function expecting(cells: CellsClient, version: string): Promise<SeenPackage> {
  const status = await cells.rollout(version).status();
  if (status.graduatedAt === null || status.finishedAt !== null) return status;
  try {
    const { rings: expected } = await cells.cluster().forecast({ version });
    return expected.length === 0 ? status : { ...status, expected };
  } catch (error) {
    if (isClientError(error)) return status;
    throw error;
  }
}

const isNotFound = (error: unknown): boolean => isClientError(error) && error.name === 'NotFoundError';

/** Null where there was none; that it cannot be asked for takes nothing from what can. */
async function rollbackOf(cells: CellsClient, version: string): Promise<SeenRollback | null> {
  try {
    return await cells.rollback(version).status();
  } catch (error) {
    if (isClientError(error)) return null;
    throw error;
  }
}

export async function watchCluster(context: Context): Promise<undefined> {
  const cluster = (await context.cells()).cluster();
  await started<ClusterStatus>({ io: context.io, read: () => cluster.status(), ...clusterFollowing });
}

/** Ends by itself when the rollout has ended. */
export async function watchRollout(context: Context, version: string): Promise<Outcome> {
  const cells = await context.cells();
  // While the package is taken back, that is what there is to watch.
  const returning = await rollbackOf(cells, version);
  if (returning && returning.finishedAt === null) return await watchRollback(context, cells.rollback(version));
  const read = () => expecting(cells, version);
  const status = await started<SeenPackage>({
    io: context.io,
    read,
    quiet: context.json,
    ...rolloutFollowing,
  });
  return { json: status, text: [] };
}

async function watchRollback(context: Context, rollback: RollbackClient): Promise<Outcome> {
  const { rollbackFollowing } = await import('./rollback-tree.js');
  const read = () => rollback.status();
  const status = await started({ io: context.io, read, quiet: context.json, ...rollbackFollowing });
  return { json: status, text: [] };
}

/** The first look may fail for good: a watch of what nobody can reach would only hide it. */
async function started<S>(options: FollowOptions<S>): Promise<S | null> {
  let first: S | null = await options.read();
  const read = async () => {
    const status = first ?? (await options.read());
    first = null;
    return status;
  };
  return follow({ ...options, read });
}

/** Piped output is not cut: whoever reads it has no columns. */
export async function viewOf(io: Io): Promise<View> {
  const width = io.stdout.isTTY ? (io.stdout.columns ?? 100) : Number.POSITIVE_INFINITY;
  const colours = hasColours(io) ? (await import('picocolors')).default.createColors(true) : NO_COLOURS;
  return { now: io.now(), width, colours };
}
