import type { CellLook } from '../../src/contract/activities.js';
import { closingOf, isGood, wordWithoutWindows } from '../../src/domain/calendar/gate.js';
import { observe } from '../../src/domain/ring/observe.js';
import { awaitHealthyRings, readCalendar } from '../shared/activities.js';
import type { PassContext } from './context.js';

/** Ends a pass over a ring in mode `observe`, once its cells were looked at, with what it would do and wait for. */
export async function observeOnly(ctx: PassContext, looks: CellLook[]): Promise<void> {
  const waits =
    ctx.input.purpose === 'rollback' ? [] : [...approval(ctx), ...(await calendar(ctx)), ...(await health(ctx))];
  observe(ctx.state, looks, ctx.entered.leftOut.length, waits, Date.now());
}

const approval = ({ entered }: PassContext): string[] => (entered.unapproved ? ['a person approves it'] : []);

async function calendar({ entered, calendar: known }: PassContext): Promise<string[]> {
  if (!entered.calendar) return [];
  const word = isGood(known.word, Date.now()) ? known.word : wordWithoutWindows(entered.calendar, Date.now());
  const closing = closingOf(word ?? (await readCalendar(entered.calendar)), known.waivers, Date.now());
  if (closing === null || closing === 'unknown') return [];
  const until = closing.opensMs === null ? '' : ` until ${new Date(closing.opensMs).toISOString()}`;
  return [`${closing.detail}${until}`];
}

/** Told, and not waited for. */
async function health({ entered, input: { requestId, ring, purpose } }: PassContext): Promise<string[]> {
  if (!entered.gated || purpose !== 'deploy') return [];
  const against = await awaitHealthyRings({ requestId, ring, once: true }).catch((error: unknown) => String(error));
  return against === null ? [] : [against];
}
