import { blockVersion, unblockVersion } from '../contract/messages.js';
import { present } from './acts.js';
import { checked } from './checked.js';
import type { BlockOptions } from './commands/blocks.js';
import type { Context, Outcome } from './context.js';

export async function block(context: Context, version: string, { reason, fixedIn }: BlockOptions): Promise<Outcome> {
  const payload = checked(blockVersion, present({ version, fixedIn, ...context.act(reason) }));
  const status = await (await context.cells()).cluster().blockVersion(payload, { updateId: context.actId() });
  const flying =
    status.inFlight.length === 0 ? 'no cell is in flight' : `still in flight: ${status.inFlight.join(' ')}`;
  const upTo = fixedIn === undefined ? 'it and every later package' : `it and every package before ${fixedIn}`;
  return {
    json: status,
    text: [
      `${version} is blocked, ${upTo}; ${flying}`,
      `  take it back from the cells that run it: cellctl rollback ${version} --reason "…"`,
      `  let it go: cellctl unblock ${version} --reason "…"`,
    ],
  };
}

export async function unblock(context: Context, version: string, reason: string): Promise<Outcome> {
  const payload = checked(unblockVersion, { version, ...context.act(reason) });
  const status = await (await context.cells()).cluster().unblockVersion(payload, { updateId: context.actId() });
  const left = status.blocked.map((b) => b.version).join(', ');
  return {
    json: status,
    text: [`unblocked ${version}; ${left ? `still blocked: ${left}` : 'nothing else is blocked'}`],
  };
}
