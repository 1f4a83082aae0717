import { asObject } from './loose.js';

/**
 * Fields of `coordination` that a topology may have and that this version does not obey yet, each with when a value is
 * really missed: none. Whoever adds a field before it is in force names it here.
 */
const NOT_IN_FORCE: Readonly<Record<string, (value: unknown) => boolean>> = {};

/** Paths of what is written in the input and not obeyed yet, so that nobody relies on it. */
export function fieldsNotInForce(input: unknown): string[] {
  const coordination = asObject(asObject(input).coordination);
  const missed = Object.entries(NOT_IN_FORCE).filter(([field, counts]) => counts(coordination[field]));
  return missed.map(([field]) => `coordination.${field}`);
}
