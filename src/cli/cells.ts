import { quarantineCell, readmitCell, resumeAutoDeploy } from '../contract/messages.js';
import { present } from './acts.js';
import { checked } from './checked.js';
import type { Context, Outcome } from './context.js';
import { expiresAt } from './expires.js';

export async function quarantine(
  context: Context,
  cell: string,
  reason: string,
  expires: string | undefined,
): Promise<Outcome> {
  const fields = { cell, expiresAt: expiresAt(expires, context.io.now()), ...context.act(reason) };
  const payload = checked(quarantineCell, present(fields));
  const status = await (await context.cells()).cluster().quarantineCell(payload, { updateId: context.actId() });
  const back = `  let it back: cellctl readmit ${cell} --reason "…"`;
  return { json: status, text: [`${cell} is quarantined: nothing starts on it any more`, back] };
}

export async function readmit(context: Context, cell: string, reason: string): Promise<Outcome> {
  const payload = checked(readmitCell, present({ cell, ...context.act(reason) }));
  const status = await (await context.cells()).cluster().readmitCell(payload, { updateId: context.actId() });
  return { json: status, text: [`${cell} is back: the next pass over its ring takes it along`] };
}

export async function resume(context: Context, reason: string, expires: string | undefined): Promise<Outcome> {
  const fields = { expiresAt: expiresAt(expires, context.io.now()), ...context.act(reason) };
  const payload = checked(resumeAutoDeploy, present(fields));
  const status = await (await context.cells()).cluster().resumeAutoDeploy(payload, { updateId: context.actId() });
  const { reason: why = '' } = status.autoDeploy;
  return { json: status, text: ['auto-deploy runs until the drift is back within its limit', `  ${why}`] };
}
