import type { ClusterStatus, PackageRolloutStatus } from '../contract/status.js';
import { clusterTree } from './cluster-tree.js';
import type { Context, Outcome } from './context.js';
import { hasEnded } from './ended.js';
import { clusterFacts, rolloutFacts } from './facts.js';
import { type FollowOptions, follow } from './follow.js';
import { hasColours, type Io } from './io.js';
import { NO_COLOURS, type View } from './paint.js';
import { rolloutTree } from './tree.js';

/** How the status of a rollout is followed, by whoever waits for what. */
export const rolloutFollowing = { tree: rolloutTree, facts: rolloutFacts, isOver: hasEnded };

const clusterFollowing = { tree: clusterTree, facts: clusterFacts, isOver: () => false };

export async function showCluster(context: Context): Promise<Outcome> {
  const status = await (await context.cells()).cluster().status();
  return { json: status, text: clusterTree(status, await viewOf(context.io)) };
}

export async function showRollout(context: Context, version: string): Promise<Outcome> {
  const status = await (await context.cells()).rollout(version).status();
  return { json: status, text: rolloutTree(status, await viewOf(context.io)) };
}

export async function watchCluster(context: Context): Promise<undefined> {
  const cluster = (await context.cells()).cluster();
  await started<ClusterStatus>({ io: context.io, read: () => cluster.status(), ...clusterFollowing });
}

/** Ends by itself when the rollout has ended. */
export async function watchRollout(context: Context, version: string): Promise<Outcome> {
  const rollout = (await context.cells()).rollout(version);
  const read = () => rollout.status();
  const status = await started<PackageRolloutStatus>({
    io: context.io,
    read,
    quiet: context.json,
    ...rolloutFollowing,
  });
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
