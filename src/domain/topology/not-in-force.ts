import { policiesOf } from './loose.js';

const hasEntries = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

/**
 * Fields that a topology may have and that this version does not obey yet, each with when a value is really missed.
 * Whoever brings one into force takes its line away.
 */
const NOT_IN_FORCE = {
  policy: {
    deployWindows: hasEntries,
    freezes: hasEntries,
  },
} as const;

/** Paths of what is written in the input and not obeyed yet, so that nobody relies on it. */
export function fieldsNotInForce(input: unknown): string[] {
  return [...policiesOf(input).flatMap(({ path, policy }) => missed(NOT_IN_FORCE.policy, path, policy))];
}

const missed = (
  table: Readonly<Record<string, (value: unknown) => boolean>>,
  path: string,
  section: Record<string, unknown>,
): string[] =>
  Object.entries(table)
    .filter(([field, counts]) => counts(section[field]))
    .map(([field]) => `${path}.${field}`);
