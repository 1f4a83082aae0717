import { TimedOutError } from '../client/index.js';
import { abortRollback, packageRollbackArgument, skipCell } from '../contract/messages.js';
import type { PackageRollbackStatus } from '../contract/status.js';
import { present } from './acts.js';
import { checked } from './checked.js';
import type { RollbackOptions } from './commands/rollback.js';
import type { Context, Outcome } from './context.js';
import { EXIT } from './exit.js';
import { follow } from './follow.js';
import { NO_COLOURS, type View } from './paint.js';
import { rollbackFollowing, rollbackTree } from './rollback-tree.js';
import { viewOf } from './show.js';

/** What is refused is refused at once; so long even a caller that does not wait listens. */
const AT_ONCE_MS = 1_500;
/** A look at every cell, with an AMP that answers slowly. */
const DRY_RUN_MS = 600_000;

export async function rollback(context: Context, version: string, options: RollbackOptions): Promise<Outcome> {
  if (options.stop || options.skip !== undefined) return await act(context, version, options);
  const { reason, ring, dryRun, allowDowntime, toBlocked, block, wait, timeout } = options;
  const only = block ? {} : { block };
  const fields = { version, ring, dryRun, allowDowntime, toBlocked, ...only, ...context.act(reason) };
  const { version: _, ...order } = checked(packageRollbackArgument, present(fields));
  const client = (await context.cells()).rollback(version);
  let isNew = await client.start(order);
  if (!isNew && (await client.status()).dryRun) {
    // Somebody only asks what it would do: that takes a moment, and must keep nobody from doing it.
    await client.result(DRY_RUN_MS);
    isNew = await client.start(order);
  }
  const warnings = isNew ? [] : [`a rollback of ${version} is under way already; it goes on as it was asked for`];
  if (dryRun)
    return ended(await (isNew ? client.result(DRY_RUN_MS) : client.status()), await viewOf(context.io), warnings);
  if (!wait) return await accepted(context, version, client, warnings);
  const result = client.result(timeout).catch((error: unknown) => {
    if (error instanceof TimedOutError) error.next = [`cellctl status ${version} --watch`];
    throw error;
  });
  const read = () => client.status();
  await follow({ io: context.io, read, ...rollbackFollowing, until: result, quiet: context.json });
  return ended(await result, { ...(await viewOf(context.io)), colours: NO_COLOURS }, warnings);
}

async function act(context: Context, version: string, { reason, skip }: RollbackOptions): Promise<Outcome> {
  const client = (await context.cells()).rollback(version);
  const options = { updateId: context.actId() };
  if (skip === undefined) {
    const status = await client.abort(checked(abortRollback, context.act(reason)), options);
    return { json: status, text: [`${version}: no further cell is taken back`] };
  }
  const status = await client.skipCell(checked(skipCell, { cell: skip, ...context.act(reason) }), options);
  return { json: status, text: [`${version}: ${skip} is left on it`] };
}

async function accepted(
  context: Context,
  version: string,
  client: { result(timeoutMs: number): Promise<PackageRollbackStatus> },
  warnings: string[],
): Promise<Outcome> {
  try {
    return ended(await client.result(AT_ONCE_MS), await viewOf(context.io), warnings);
  } catch (error) {
    if (!(error instanceof TimedOutError)) throw error;
  }
  const next = [`cellctl status ${version} --watch`];
  const text = [`${version}: the cells on it go back, outermost ring first`, `  follow it: ${next[0]}`];
  return { json: { accepted: true, version, next }, text, warnings };
}

/** Nothing is left to do where every cell has left the package. */
function ended(status: PackageRollbackStatus, view: View, warnings: string[]): Outcome {
  const isDone = status.dryRun ? status.rejected.length === 0 : hasLeft(status);
  return { json: status, text: rollbackTree(status, view), warnings, exit: isDone ? EXIT.done : EXIT.failed };
}

const hasLeft = ({ state, needsDowntime }: PackageRollbackStatus): boolean =>
  state !== 'aborted' && needsDowntime.length === 0;
