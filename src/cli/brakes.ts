import { brakeIdFor } from '../client/brake-id.js';
import { isClientError, RejectedError } from '../client/errors.js';
import type { CellsClient } from '../client/index.js';
import { engageBrake, engageClusterBrake, releaseBrake } from '../contract/messages.js';
import type { BrakeResult, BrakeScope, BrakeStatus } from '../contract/status.js';
import { scopeText } from '../domain/brake.js';
import { present } from './acts.js';
import { checked } from './checked.js';
import type { BrakeOffOptions, BrakeOnOptions, ScopeOptions } from './commands/brakes.js';
import type { Context, Outcome } from './context.js';
import { expiresAt } from './expires.js';
import { table } from './table.js';
import { ago, until } from './time.js';

const MAX_ROLLOUTS = 50;

/** A brake that is on, and the package it is of; null where it is the cluster's. */
interface ListedBrake extends BrakeStatus {
  version: string | null;
}

export async function brakeOn(context: Context, options: BrakeOnOptions): Promise<Outcome> {
  const { version, mode, id, expires, reason } = options;
  const { now } = context.io;
  const act = context.act(reason);
  const brakeId = id ?? brakeIdFor(act.by, now());
  const fields = present({ ...act, brakeId, mode, expiresAt: expiresAt(expires, now()) });
  const result = await engage(context, fields, version, scopeOf(options) ?? 'outer');
  return { json: result, text: engagedLines(result, options) };
}

async function engage(
  context: Context,
  fields: Record<string, unknown>,
  version: string | undefined,
  scope: BrakeScope,
): Promise<BrakeResult> {
  if (version !== undefined) {
    const payload = checked(engageBrake, fields);
    return (await context.cells()).rollout(version).engageBrake(payload, { updateId: context.actId() });
  }
  const payload = checked(engageClusterBrake, { ...fields, scope });
  return (await context.cells()).cluster().engageBrake(payload, { updateId: context.actId() });
}

function engagedLines({ brakeId, inFlight }: BrakeResult, options: BrakeOnOptions): string[] {
  const { version } = options;
  const what = version ?? scopeText(scopeOf(options) ?? 'outer');
  const off = `cellctl brake off --id ${brakeId}${version === undefined ? '' : ` --version ${version}`} --reason "…"`;
  const flying = inFlight.length === 0 ? 'no cell is in flight' : `still in flight: ${inFlight.join(' ')}`;
  return [`brake ${brakeId} holds on ${what}; ${flying}`, `  let it go: ${off}`];
}

export async function brakeOff(context: Context, options: BrakeOffOptions): Promise<Outcome> {
  const { version, id, reason } = options;
  const cells = await context.cells();
  const of = version === undefined ? cells.cluster() : cells.rollout(version);
  const scope = scopeOf(options);
  const brakeId = id ?? (scope === null ? undefined : onlyOne((await cells.cluster().status()).brakes, scope));
  const payload = checked(releaseBrake, present({ ...context.act(reason), brakeId }));
  const status = await of.releaseBrake(payload, { updateId: context.actId() });
  const left = status.brakes.map((b) => b.brakeId).join(', ');
  // The others may have theirs: a package the cluster's over it, and the cluster those of its packages.
  const none = `no other brake of ${version ?? 'the cluster'} is on`;
  const text = `released${brakeId === undefined ? '' : ` ${brakeId}`}; ${left ? `still on: ${left}` : none}`;
  return { json: status, text: [text] };
}

export async function brakeList(context: Context): Promise<Outcome> {
  const cells = await context.cells();
  const [ofCluster, open] = await Promise.all([
    cells.cluster().status(),
    cells.listRollouts({ open: true, limit: MAX_ROLLOUTS }),
  ]);
  const ofPackages = await Promise.all(open.map(({ version }) => brakesOf(cells, version)));
  const brakes: ListedBrake[] = [...ofCluster.brakes.map((b) => ({ ...b, version: null })), ...ofPackages.flat()];
  if (brakes.length === 0) return { json: [], text: ['no brake is on'] };
  const now = context.io.now();
  const rows = brakes.map((b) => [
    b.brakeId,
    b.version ?? scopeText(b.scope),
    b.mode,
    b.by,
    ago(b.since, now),
    b.expiresAt === undefined ? '' : until(b.expiresAt, now),
    b.reason,
  ]);
  return { json: brakes, text: table(['BRAKE', 'ON', 'MODE', 'BY', 'SINCE', 'EXPIRES', 'REASON'], rows) };
}

/** A rollout that ends while it is asked has no brake any more. */
async function brakesOf(cells: CellsClient, version: string): Promise<ListedBrake[]> {
  try {
    const { brakes } = await cells.rollout(version).status();
    return brakes.map((brake) => ({ ...brake, version }));
  } catch (error) {
    if (isClientError(error) && error.name === 'NotFoundError') return [];
    throw error;
  }
}

function scopeOf({ outer, cluster, ring }: ScopeOptions): BrakeScope | null {
  if (cluster) return 'cluster';
  if (ring !== undefined) return { ring };
  return outer ? 'outer' : null;
}

function onlyOne(brakes: readonly BrakeStatus[], scope: BrakeScope): string {
  const found = brakes.filter((brake) => JSON.stringify(brake.scope) === JSON.stringify(scope));
  const [only, ...others] = found;
  if (only && others.length === 0) return only.brakeId;
  const names = found.map((brake) => brake.brakeId).join(', ');
  const expected = only
    ? `--id BRAKE, several brakes are on it: ${names}`
    : 'something with a brake on: cellctl brake list';
  throw new RejectedError([{ path: 'scope', value: scopeText(scope), expected }]);
}
