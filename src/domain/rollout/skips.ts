import type { SkipInPass } from '../../contract/internal.js';
import { shortened } from '../shortened.js';
import type { PackageState } from './state.js';

/** Cells that people left out of the way of a package: every pass of it is given all of them. */

export const MAX_SKIPS = 200;
const MAX_REASON = 200;

/** Why one more cell cannot be skipped, as what was expected; null: it can. */
export function whyNoSkip({ skips }: PackageState, cell: string): string | null {
  if (skips.length < MAX_SKIPS || skips.some((s) => s.cell === cell)) return null;
  return `at most ${MAX_SKIPS} skipped cells of one package: quarantine them, or abort it`;
}

/** The last word on a cell counts; its act keeps the reason as it was said. */
export function noteSkip(s: PackageState, { cell, by, reason }: SkipInPass): SkipInPass {
  const short = shortened(reason, MAX_REASON);
  const skip = { cell, by, reason: short };
  s.skips = [...s.skips.filter((other) => other.cell !== cell), skip];
  return skip;
}

/** A name that no cell has takes no room. */
export function dropSkip(s: PackageState, cell: string): void {
  s.skips = s.skips.filter((skip) => skip.cell !== cell);
}
