import { parseDuration } from '../../domain/duration.js';
import { parseInstant } from '../../domain/instant.js';

/** An instant, RFC 3339 in UTC, of one that was written so, or as a time before `now`. */
export function instantOf(text: string, now: number): string {
  const span = parseDuration(text);
  return new Date(span === null ? (parseInstant(text) ?? now) : now - span).toISOString();
}
