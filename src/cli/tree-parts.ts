import type { CutOff } from '../client/index.js';
import type { Evidence } from '../contract/health.js';
import type { BrakeStatus, CellException, Rejection, RingState, RolloutState, WaitingFor } from '../contract/status.js';
import { scopeText } from '../domain/brake.js';
import { shown } from '../domain/health/evidence.js';
import { fits, line, type Paint, type Segment, type View, wrapped } from './paint.js';
import { ago, clock, until } from './time.js';

/** What the trees of a rollout and of a cluster have in common. */

const MAX_EXCEPTIONS = 5;
const MAX_REJECTED = 2;

const STATE_PAINT: Partial<Record<RolloutState | RingState, Paint>> = {
  converged: 'green',
  halted: 'red',
  aborted: 'red',
  expired: 'red',
  'rolled-back': 'red',
  'rolling-back': 'yellow',
  braked: 'yellow',
  mixed: 'yellow',
  waiting: 'yellow',
  idle: 'dim',
};

export const stateSegment = (state: RolloutState | RingState): Segment => [state, STATE_PAINT[state] ?? 'cyan'];

/** What is shown of a rollout whose workflow did not end by itself. */
export const cutOffText = (cutOff: CutOff): string =>
  `its workflow was ${cutOff}: this is how it stood then; how its rings stand now: cellctl status`;

/** What is waited for, until when, why, and the commands that would end it. Commands are never cut: they are copied. */
export function waitLines(wait: WaitingFor, view: View, indent = ''): string[] {
  const where = wait.ring === undefined ? '' : ` in ring ${wait.ring}`;
  const when = wait.until === undefined ? `since ${clock(wait.since, view.now)}` : until(wait.until, view.now);
  return [
    line(view, [indent, ['waits for ', 'dim'], [wait.kind, 'bold', 'yellow'], `${where} `, [when, 'dim']]),
    ...wrapped(view, `${indent}  `, wait.detail),
    ...nextLines(wait.next, view, `${indent}  `),
  ];
}

export const nextLines = (next: readonly string[], view: View, indent: string): string[] =>
  next.map((command) => `${indent}→ ${view.colours.cyan(command)}`);

/** A brake, why it is on, and how it is let go; `version`: it is one of this package. */
export function brakeLines(brake: BrakeStatus, view: View, version?: string): string[] {
  const end = brake.expiresAt === undefined ? '' : `, ${until(brake.expiresAt, view.now)}`;
  const words = ` on ${scopeText(brake.scope)} (${brake.mode}) by ${brake.by} ${ago(brake.since, view.now)}${end}:`;
  const whose = version === undefined ? '' : ` --version ${version}`;
  return [
    ...withReason([['brake ', 'yellow'], [brake.brakeId, 'bold'], words], brake.reason, view),
    ...nextLines([`cellctl brake off --id ${brake.brakeId}${whose} --reason "…"`], view, '  '),
  ];
}

/** In one line where there is room for it; a reason is never cut: what was found, or what happened, stands nowhere else. */
export function withReason(what: readonly Segment[], reason: string, view: View): string[] {
  const whole = [...what, ' ', reason];
  return fits(view, whole) ? [line(view, whole)] : [line(view, what), ...wrapped(view, '  ', reason)];
}

export function exceptionLines(
  exceptions: readonly CellException[],
  total: number,
  view: View,
  indent: string,
  allOfThem: string,
): string[] {
  const named = exceptions.slice(0, MAX_EXCEPTIONS);
  const more = total - named.length;
  return [
    ...named.flatMap(({ cell, state, reason, jobId, evidence }) => {
      const job = jobId === undefined ? '' : ` (${jobId})`;
      const found = evidenceText(evidence);
      return [
        line(view, [indent, ['! ', 'red'], [cell, 'bold'], ' ', [state, 'red'], `${job}: ${reason}`]),
        ...(found === null ? [] : [line(view, [indent, '  ', [found, 'dim']])]),
      ];
    }),
    ...(more > 0 ? [line(view, [indent, [`… and ${more} more: ${allOfThem}`, 'dim']])] : []),
  ];
}

/** The first finding on a signal that says in numbers what was wrong: `errors 0.31, the line is 0.07 (burn-rate)`. */
function evidenceText(evidence: unknown): string | null {
  // Other versions of the coordinator may keep something else there.
  const findings: Partial<Evidence>[] = Array.isArray(evidence) ? evidence : [];
  const counted = findings.filter(({ shadow }) => !shadow);
  const { signal, rule, value, threshold } = counted.find((e) => e.signal && typeof e.value === 'number') ?? {};
  if (!signal || typeof value !== 'number') return null;
  const against = typeof threshold === 'number' ? `, the line is ${shown(threshold)}` : '';
  return `${signal} ${shown(value)}${against} (${rule})`;
}

export const rejectedLines = (rejected: readonly Rejection[], view: View): string[] =>
  rejected.slice(-MAX_REJECTED).map(({ at, message, by, path, value, expected }) => {
    const who = by === undefined ? '' : ` by ${by}`;
    const what = `${message}${who} ${ago(at, view.now)}: ${path || '(whole)'}: found ${value}, expected ${expected}`;
    return line(view, [['rejected ', 'red'], what]);
  });
