import { ApplicationFailure } from '@temporalio/workflow';
import { FAILURE } from '../../src/contract/failures.js';
import type { Problem } from '../../src/contract/problem.js';
import type { z } from '../../src/contract/zod.js';
import { bounded, formatProblems, problemsFromZod } from '../../src/domain/problems.js';

const PROBLEMS_IN_MESSAGE = 50;

/**
 * Judges a payload by its schema; synchronous, because an async validator that rejects wedges the run for ever.
 * Throws `Rejected` with every problem in its details.
 */
export function validated<S extends z.ZodType>(schemaOf: () => S, payload: unknown): z.infer<S> {
  if (isUnreadable(payload)) {
    const value = `unreadable (${payload.encoding}): ${payload.problem}`;
    throw rejected([{ path: '', value, expected: 'a payload in JSON' }]);
  }
  const schema = schemaOf();
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw rejected(problemsFromZod(parsed.error, payload, schema));
}

/** What the lenient payload converter makes of a payload that it cannot read. */
function isUnreadable(payload: unknown): payload is { encoding: string; problem: string } {
  return typeof payload === 'object' && payload !== null && '__unreadable' in payload;
}

/** The message names the first problems, the details all that a rejection can carry. */
export function rejected(problems: Problem[]): ApplicationFailure {
  const told = bounded(problems);
  return ApplicationFailure.create({
    message: formatProblems(told, PROBLEMS_IN_MESSAGE),
    type: FAILURE.rejected,
    nonRetryable: true,
    details: told.length === 1 ? [told[0]] : [told],
  });
}

export const rejectedBecause = (path: string, value: unknown, expected: string): ApplicationFailure =>
  rejected([{ path, value: typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'), expected }]);

/** The problems that a rejection carries; anything else thrown is a bug and goes on up. */
export function problemsOf(error: unknown): Problem[] {
  if (!(error instanceof ApplicationFailure) || error.type !== FAILURE.rejected) throw error;
  const [details] = error.details ?? [];
  return (Array.isArray(details) ? details : [details]) as Problem[];
}
