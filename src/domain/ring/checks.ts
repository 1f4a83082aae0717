import type { OutsideWord } from '../../contract/internal.js';
import type { PassState } from './pass-state.js';

/** What outside checks say of a pass, and what of it a person does not wait for. */

export interface OutsideChecks extends Required<OutsideWord> {
  /** Checks that a person passed by: each until it has said ok again, since what it says after that is another wait. */
  waived: string[];
}

/** Nobody has spoken yet; what was passed by stays so. */
export function askOutside(s: PassState): void {
  s.outside = { detail: 'the outside checks are asked', against: [], waived: s.outside?.waived ?? [] };
}

/** Notes their last word. Who names no checks is taken for one. */
export function noteOutside(s: PassState, { detail, against }: OutsideWord): void {
  const names = against ?? (detail === null ? [] : [detail]);
  s.outside = { detail, against: names, waived: s.outside?.waived.filter((name) => names.includes(name)) ?? [] };
}

/** A person passes by what speaks against going on now. */
export function waiveOutside({ outside }: PassState): void {
  if (outside) outside.waived = [...outside.against];
}

/** What of it holds the pass; null: nothing. */
export function speaksAgainst({ outside }: PassState): string | null {
  if (!outside) return null;
  const { detail, against, waived } = outside;
  return against.length > 0 && against.every((name) => waived.includes(name)) ? null : detail;
}
