import type { CellObservation } from '../../contract/health.js';
import { isPackage, samePackage } from '../package-version.js';
import type { Finding } from './evidence.js';

/** Evidence of another package is none of this one. `expected` is empty where no package is: the cell is only read. */
export function otherPackage({ cell, expected, running }: CellObservation): Finding | null {
  if (expected === '' || (running !== null && isSame(expected, running))) return null;
  const seen = running === null ? 'it is not known which package runs' : `${running} runs`;
  const sentence = `${cell} should run ${expected}, and ${seen}`;
  return { signal: null, rule: 'data', verdict: 'inconclusive', sentence };
}

const isSame = (a: string, b: string): boolean => a === b || (isPackage(a) && isPackage(b) && samePackage(a, b));
