import * as messages from '../contract/messages.js';
import type { z } from '../contract/zod.js';
import { checked } from './checked.js';
import type { Context, Outcome } from './context.js';
import { hasEnded } from './ended.js';

const { approveRing, override, retryRing, skipCell, recordCheck, abort, restart } = messages;
const SCHEMAS = { approveRing, override, retryRing, skipCell, recordCheck, abort, restart };

/** One act of a person on the rollout of a package: checked here, sent, and told with how the rollout stands after it. */
export async function actOn(
  context: Context,
  version: string,
  name: keyof typeof SCHEMAS,
  fields: Record<string, unknown>,
  done: string,
): Promise<Outcome> {
  const payload = checked<z.ZodType<object>>(SCHEMAS[name], present(fields));
  const rollout = (await context.cells()).rollout(version);
  // The payload is what this very act's schema made of it.
  const status = await rollout[name](payload as never, { updateId: context.actId() });
  const { state, waitingFor } = status;
  const wait = waitingFor ? `, waits for ${waitingFor.kind}: ${waitingFor.detail}` : '';
  // The answer comes as soon as the act is recorded: what it leads to shows a moment later.
  const then = hasEnded(status)
    ? [`  now ${state}`]
    : [`  at this moment ${state}${wait}`, `  follow it: cellctl status ${version} --watch`];
  return { json: status, text: [`${version}: ${done}`, ...then] };
}

export async function graduate(context: Context, version: string, fields: Record<string, unknown>): Promise<Outcome> {
  const payload = checked(messages.graduate, present(fields));
  const updateId = await context.askedOnceId('graduate', payload);
  const result = await (await context.cells()).rollout(version).graduate(payload, { updateId });
  const said = result.accepted === false ? 'asked to graduate; the cell cluster has not answered yet' : 'graduated';
  return {
    json: result,
    text: [`${version}: ${said}; ring 0: ${result.ring0}`, `  follow it: cellctl status ${version} --watch`],
    warnings: result.ring0 === 'failed' ? ['ring 0 failed on this package'] : [],
  };
}

/** Strict schemas take no field that is there and undefined. */
export const present = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
