import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../domain/duration.js';
import { parseInstant } from '../domain/instant.js';
import { fromTag } from '../domain/package-version.js';

/** What can be read on a command line. Each throws what was expected, and commander says where. */

export const EXAMPLE_VERSION = '17.10.202503180906-6a387d336a7.c1c3e017782';

/** A package, or a pasted tag of one. */
export function version(text: string): string {
  const found = fromTag(text);
  if (found !== null) return found;
  throw new InvalidArgumentError(`Expected a package such as ${EXAMPLE_VERSION}.`);
}

export function ring(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole ring number from 0.');
}

export function cell(text: string): string {
  if (/^[a-z0-9-]{1,63}$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a cell id: 1 to 63 of a-z, 0-9 and -.');
}

/** `a,b,c` */
export const cells = (text: string): string[] => text.split(',').map((one) => cell(one.trim()));

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number from 0.');
}

export function count(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

export function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536) return Number(text);
  throw new InvalidArgumentError('Expected a port from 1 to 65535.');
}

/** A duration longer than zero, in ms. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  throw new InvalidArgumentError('Expected a duration such as 90s, 30m, 1h or 2d.');
}

/** When something ends, from now on (`2h`) or by the calendar: ms since 1970. */
export function expiry(text: string, now: number): number {
  const span = parseDuration(text);
  const at = span === null ? parseInstant(text) : now + span;
  if (at !== null && at > now) return at;
  throw new InvalidArgumentError('Expected a time to come: 2h, or an RFC 3339 instant such as 2026-12-23T00:00:00Z.');
}

/** When something began: a time ago (`7d`) or by the calendar. What it means depends on when it is asked. */
export function instantOrAgo(text: string): string {
  const span = parseDuration(text);
  if ((span !== null && span > 0) || parseInstant(text) !== null) return text;
  throw new InvalidArgumentError('Expected a time ago such as 12h or 7d, or an RFC 3339 instant.');
}

export function text(value: string): string {
  if (value.trim()) return value;
  throw new InvalidArgumentError('Expected words.');
}
