import type { Problem } from '../../contract/problem.js';
import { parseInstant } from '../instant.js';
import { renderValue } from '../problems.js';
import { MAX_FREEZE_DAYS } from './defaults.js';
import { asList, asObject } from './loose.js';

/** What is wrong with windows and freezes that no single field of theirs can know. */

const DAY_MS = 86_400_000;

/** A window that never opens, or days that are said twice. */
export function badWindows(path: string, policy: Record<string, unknown>): Problem[] {
  return asList(policy.deployWindows).flatMap((entry, i) => {
    const { from, to, days } = asObject(entry);
    const at = `${path}.deployWindows[${i}]`;
    const problems = daysTwice(`${at}.days`, asList(days));
    if (typeof from !== 'string' || from !== to) return problems;
    const expected = 'another time of day than `from`; the whole day is "00:00" to "24:00"';
    return [...problems, { path: `${at}.to`, value: renderValue(to), expected }];
  });
}

function daysTwice(path: string, days: unknown[]): Problem[] {
  return days.flatMap((day, i) => {
    if (typeof day !== 'string' || days.indexOf(day) === i) return [];
    return [{ path: `${path}[${i}]`, value: renderValue(day), expected: 'each day once' }];
  });
}

export function badFreezes(path: string, policy: Record<string, unknown>): Problem[] {
  return asList(policy.freezes).flatMap((entry, i) => {
    const { from, to } = asObject(entry);
    const start = typeof from === 'string' ? parseInstant(from) : null;
    const end = typeof to === 'string' ? parseInstant(to) : null;
    if (start === null || end === null) return [];
    const expected = whyBadEnd(end - start);
    return expected === null ? [] : [{ path: `${path}.freezes[${i}].to`, value: renderValue(to), expected }];
  });
}

function whyBadEnd(lengthMs: number): string | null {
  if (lengthMs <= 0) return 'an instant after `from`';
  if (lengthMs <= MAX_FREEZE_DAYS * DAY_MS) return null;
  return `at most ${MAX_FREEZE_DAYS} days after \`from\`; a brake holds for as long as it takes`;
}
