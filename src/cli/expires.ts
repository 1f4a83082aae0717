import { expiry } from './arguments.js';
import { UsageError } from './exit.js';

/** The instant that `--expires` means, RFC 3339; undefined where it was not given. Throws UsageError. */
export function expiresAt(text: string | undefined, now: number): string | undefined {
  if (text === undefined) return undefined;
  try {
    return new Date(expiry(text, now)).toISOString();
  } catch (error) {
    const expected = error instanceof Error ? error.message.replace(/^Expected |\.$/g, '') : 'a time to come';
    throw new UsageError('This cannot be asked for', [{ path: '--expires', value: JSON.stringify(text), expected }]);
  }
}
