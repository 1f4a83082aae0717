import { type Asked, TimedOutError } from '../client/index.js';
import { deployRing, migrateRing } from '../contract/messages.js';
import type { RingResult } from '../contract/status.js';
import { checked } from './checked.js';
import type { PassOptions } from './commands/rings.js';
import type { Context, Outcome } from './context.js';
import { EXIT } from './exit.js';
import { follow } from './follow.js';
import { NO_COLOURS } from './paint.js';
import { rolloutFollowing } from './show.js';
import { roughly } from './time.js';
import { exceptionLines } from './tree-parts.js';

/** What refuses answers at once; so long even a caller that does not wait listens. */
const AT_ONCE_MS = 1_500;

/** Asks for a pass over a ring inside the perimeter, or for its PDM. */
export async function runPass(
  context: Context,
  act: 'deploy' | 'migrate',
  version: string,
  options: PassOptions,
): Promise<Outcome> {
  const { ring, wait, timeout, chart: chartVersion, fixes } = options;
  const schema = act === 'deploy' ? deployRing : migrateRing;
  const payload = checked(schema, { ring, ...context.act(), ...(fixes === undefined ? {} : { fixes }) });
  const updateId = await context.askedOnceId(`${act}Ring`, payload);
  const rollout = (await context.cells()).rollout(version);
  const asked =
    act === 'deploy'
      ? await rollout.deployRing(payload, { updateId, chartVersion })
      : await rollout.migrateRing(payload, { updateId });
  const goOn = [
    `cellctl status ${version} --watch`,
    `cellctl ${act} --ring ${ring} ${version} --update-id ${asked.updateId} --wait`,
  ];
  if (!wait) return accepted(asked, act, version, { ring, next: goOn });
  const answer = asked.answer(timeout).catch((error: unknown) => {
    if (error instanceof TimedOutError) error.next = goOn;
    throw error;
  });
  await follow({
    io: context.io,
    read: () => rollout.status(),
    ...rolloutFollowing,
    until: answer,
    quiet: context.json,
  });
  return resultOutcome(await answer, context.io.now());
}

async function accepted(
  asked: Asked<RingResult>,
  act: string,
  version: string,
  { ring, next }: { ring: number; next: string[] },
): Promise<Outcome> {
  try {
    return resultOutcome(await asked.answer(AT_ONCE_MS), Date.now());
  } catch (error) {
    if (!(error instanceof TimedOutError)) throw error;
  }
  const { updateId } = asked;
  const text = [`accepted: ${act} ring ${ring}`, `  follow it: ${next[0]}`, `  wait for it: ${next[1]}`];
  return { json: { accepted: true, ring, version, updateId, next }, text };
}

/** A pass's result in words; what does not block is only a warning. */
export function resultOutcome(result: RingResult, now: number): Outcome {
  const isGood = result.outcome === 'converged';
  const exit = isGood || !result.blocking ? EXIT.done : EXIT.failed;
  const reasons = result.blocking || isGood ? [] : [`ring ${result.ring} did not converge, and does not block`];
  return { json: result, text: resultLines(result, now), warnings: reasons, exit };
}

function resultLines(result: RingResult, now: number): string[] {
  const { ring, version, outcome, code, until, supersededBy, empty, cells, exceptions, next = [] } = result;
  const took = roughly(Date.parse(result.finishedAt) - Date.parse(result.startedAt));
  const why = [code, supersededBy && `by ${supersededBy}`, until && `until ${until}`].filter(Boolean).join(', ');
  const counts = empty ? 'it has no cells' : `${cells.converged} of ${cells.total} cells converged`;
  // Where nothing was begun there is nothing to count.
  const done = cells.total > 0 || empty ? `, ${counts}, ${took}` : '';
  return [
    `ring ${ring}: ${outcome}${why ? ` (${why})` : ''}${done}`,
    ...exceptionLines(
      exceptions,
      exceptions.length,
      { now, width: Number.POSITIVE_INFINITY, colours: NO_COLOURS },
      '  ',
      `cellctl status ${version} --json`,
    ),
    ...next.map((command) => `  → ${command}`),
  ];
}
