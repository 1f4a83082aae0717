import { COORDINATOR } from '../brake.js';
import type { PackageState } from './state.js';

/** The brake of a package that makes cells ill from which it cannot be taken back, by the ring where it did. */
export const brakeAfterPdm = (ring: number): string => `unhealthy-after-pdm-ring-${ring}`;

/** Whether the package is to be braked for this ring; once, so that what a person took off stays off. */
export function noteUnwellAfterPdm(s: PackageState, ring: number): boolean {
  const { brakedAfterPdm: known = [], acts } = s;
  if (known.includes(ring)) return false;
  s.brakedAfterPdm = [...known, ring];
  // A state of an older worker has it among its acts alone.
  const on = `brake ${brakeAfterPdm(ring)} is on`;
  return !acts.some(({ by, outcome }) => by === COORDINATOR && outcome === on);
}
