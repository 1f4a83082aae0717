import type { RingPolicy } from '../../contract/policy.js';
import { failures, isBusy } from './marks.js';
import type { PassState } from './pass.js';

/** What is known of the cells of a ring and halts it for a person, and what ends such a halt. */

/** Why a cell's failure ends the pass's going forward, or null where the budget bears it. */
export function haltOf(
  s: PassState,
  policy: RingPolicy,
  wasFirst: boolean,
  cell: string,
  reason: string,
): string | null {
  // Nothing has shown yet that the package is good: whether the fault is its own a person has to say.
  if (wasFirst) return `first cell ${cell} did not pass: ${reason}; is it the cell, or the package?`;
  if (failures(s) <= policy.failureBudget) return null;
  return `${failures(s)} failed, the budget is ${policy.failureBudget}; the last was ${cell}: ${reason}`;
}

/** PDM that failed, or did not run, has done so still where its retry came to nothing, or an earlier pass knows of it. */
export function haltForMigration(s: PassState, now: number): void {
  const all = Object.values(s.exceptions);
  const hasFailed = all.some(({ state }) => state === 'migration-failed');
  const lacking = all.find((e) => e.lacksPdm);
  if (hasFailed) s.halt ??= { kind: 'migration', reason: 'PDM has failed, and waits for a person', sinceMs: now };
  else if (lacking) s.halt ??= { kind: 'migration', reason: `PDM did not run: ${lacking.reason}`, sinceMs: now };
}

/** After a look: what it found may be more than the ring bears, or a PDM that failed before this pass began. */
export function haltForExceptions(s: PassState, policy: RingPolicy, now: number): void {
  if (s.halt || s.purpose === 'rollback') return;
  haltForMigration(s, now);
  if (s.halt) return;
  const unknown = Object.values(s.exceptions).find((e) => e.isUnknown);
  if (unknown) {
    s.halt = { kind: 'inconclusive', reason: unknown.reason, sinceMs: now };
  } else if (failures(s) > policy.failureBudget) {
    const reason = `${failures(s)} failed or could not be deployed, the budget is ${policy.failureBudget}`;
    s.halt = { kind: faults(s) > policy.failureBudget ? 'cells' : 'put-off', reason, sinceMs: now };
  }
}

/** Failures that were neither busy nor unreachable until the time was up. */
const faults = (s: PassState): number =>
  failures(s) - s.marks.filter((mark, index) => mark === 'X' && isBusy(s.exceptions[index]?.state)).length;

/** A halt that the cells left do not give reason for any more is over. */
export function endHaltWithinBudget(s: PassState, policy: RingPolicy): void {
  const isLeft = Object.values(s.exceptions).some((e) => e.isUnknown);
  const isForCells =
    s.halt?.kind === 'cells' || s.halt?.kind === 'put-off' || (s.halt?.kind === 'inconclusive' && !isLeft);
  // Until it has passed, or is out of the way itself, nothing else starts behind a first cell.
  const first = s.halt?.first;
  const firstStands = first !== undefined && (s.marks[first] === 'X' || s.marks[first] === 'R');
  if (isForCells && !firstStands && failures(s) <= policy.failureBudget) s.halt = null;
  if (s.halt?.kind === 'none-converged') s.halt = null;
}
