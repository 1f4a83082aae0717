import { lazily } from '../../contract/lazily.js';
import { z } from '../../contract/zod.js';
import { DURATION_PATTERN } from '../duration.js';
import { parseInstant, parseUntil } from '../instant.js';
import { type Amount, SHARE_PATTERN } from '../share.js';

type Share = Extract<Amount, string>;

/** The kinds of values a topology is made of. Each one's error says in plain words what is expected. */

const DURATION = 'a duration such as 90s, 30m, 1h or 2d';
const POSITIVE_DURATION = 'a duration longer than zero, such as 90s, 30m, 1h or 2d';
const SHARE = 'a share from 0% to 100%';

export const duration = lazily(() => z.string(DURATION).regex(DURATION_PATTERN, DURATION));

// A pattern rather than a check in code, so that the JSON Schema refuses `0s` as well.
export const positiveDuration = lazily(() =>
  z.string(POSITIVE_DURATION).regex(/^(?=\d*[1-9])\d{1,7}[smhd]$/, POSITIVE_DURATION),
);

/** A number of cells from `min` to `max`, or a share of the ring. */
export function amount(min: number, max: number) {
  const expected =
    max === Number.MAX_SAFE_INTEGER
      ? `a whole number from ${min}, or ${SHARE}`
      : `a whole number from ${min} to ${max}, or ${SHARE}`;
  // A pattern, and not a template literal type of zod's, because it is what the JSON Schema shows.
  const share = z.string(expected).regex(SHARE_PATTERN, expected) as unknown as z.ZodType<Share, Share>;
  return z.union([z.int(expected).min(min, expected).max(max, expected), share], expected);
}

/** A whole number of at least `min`. */
export function whole(min: number, what = 'a whole number') {
  const expected = `${what} from ${min}`;
  return z.int(expected).min(min, expected);
}

export const number = lazily(() => z.number('a number'));
export const flag = lazily(() => z.boolean('true or false'));

/** One of the words. */
export function word<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, words.length === 1 ? words[0] : `one of ${words.join(', ')}`);
}

/** Text that says something. */
export function text(what: string, max = 2000) {
  const expected = `${what}: text of 1 to ${max} characters`;
  return z.string(expected).regex(/\S/, expected).max(max, expected);
}

/** Text of a fixed form. */
export const formed = (form: RegExp, expected: string) => z.string(expected).regex(form, expected);

const INSTANT = 'an RFC 3339 instant with its offset, e.g. 2026-12-23T00:00:00Z';
export const instant = lazily(() =>
  z
    .string(INSTANT)
    .refine((value) => parseInstant(value) !== null, INSTANT)
    .meta({ format: 'date-time' }),
);

const UNTIL = 'a day such as 2026-12-31 (it is included, UTC), or an RFC 3339 instant with its offset';
export const until = lazily(() => z.string(UNTIL).refine((value) => parseUntil(value) !== null, UNTIL));

const HOST = String.raw`(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:\d{1,5})?`;
const CELL_URL = 'an http or https address without query or credentials, e.g. https://cell-1.cells.example';
export const cellUrl = lazily(() => formed(new RegExp(`^https?://${HOST}(/[^\\s?#]*)?$`), CELL_URL));
export const anyUrl = lazily(() => formed(new RegExp(`^https?://${HOST}(/\\S*)?$`), 'an http or https address'));

export const timeZone = lazily(() =>
  z.string('an IANA time zone, e.g. Europe/Berlin').refine(isTimeZone, 'an IANA time zone, e.g. Europe/Berlin'),
);

function isTimeZone(name: string): boolean {
  // Newer engines take offsets such as +01:00 too, older ones do not: a topology must mean the same on both.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
