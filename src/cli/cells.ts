import { quarantineCell, readmitCell, resumeAutoDeploy } from '../contract/messages.js';
import { present } from './acts.js';
import { checked } from './checked.js';
import type { Context, Outcome } from './context.js';
import { expiresAt } from './expires.js';
import { until } from './time.js';

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

/** Which of the two depends on what its ring has converged on, if anything. */
const WHEN_BACK =
  'beyond the perimeter it is looked at now, and brought to what its ring is kept on; else the next pass takes it along';

export async function readmit(context: Context, cell: string, reason: string): Promise<Outcome> {
  const payload = checked(readmitCell, present({ cell, ...context.act(reason) }));
  const status = await (await context.cells()).cluster().readmitCell(payload, { updateId: context.actId() });
  return { json: status, text: [`${cell} is back: ${WHEN_BACK}`] };
}

export async function resume(context: Context, reason: string, expires: string | undefined): Promise<Outcome> {
  const { now } = context.io;
  const fields = { expiresAt: expiresAt(expires, now()), ...context.act(reason) };
  const payload = checked(resumeAutoDeploy, present(fields));
  const status = await (await context.cells()).cluster().resumeAutoDeploy(payload, { updateId: context.actId() });
  const { reason: why = '', override } = status.autoDeploy;
  const end = override?.expiresAt === undefined ? '' : `, but only ${until(override.expiresAt, now())}`;
  return { json: status, text: [`auto-deploy runs until the drift is back within its limit${end}`, `  ${why}`] };
}
