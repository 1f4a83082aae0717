import { asObject } from './loose.js';

const isWritten = (value: unknown): boolean => value !== undefined;

/**
 * Fields that a topology may have and that this version does not obey yet, each with when a value is really missed.
 * Whoever brings one into force takes its line away.
 */
const NOT_IN_FORCE = {
  coordination: {
    reconcileEvery: isWritten,
    reconcileHandChanges: isWritten,
  },
} as const;

/** Paths of what is written in the input and not obeyed yet, so that nobody relies on it. */
export function fieldsNotInForce(input: unknown): string[] {
  return [...missed(NOT_IN_FORCE.coordination, 'coordination', asObject(asObject(input).coordination))];
}

const missed = (
  table: Readonly<Record<string, (value: unknown) => boolean>>,
  path: string,
  section: Record<string, unknown>,
): string[] =>
  Object.entries(table)
    .filter(([field, counts]) => counts(section[field]))
    .map(([field]) => `${path}.${field}`);
