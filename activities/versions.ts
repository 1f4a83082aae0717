import { isPackage, revisionMatches, samePackage } from '../src/domain/package-version.js';

/** Whether two versions as AMP writes them are one: shas may be written at different lengths. */
export function sameVersion(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false;
  return a === b || (isPackage(a) && isPackage(b) && samePackage(a, b));
}

/**
 * Whether a cell's revision speaks for this version. Only a package's name carries a revision: of anything else that a
 * cell is rolled back to (`17.10.0`) AMP's word has to do.
 */
export const runsCommit = (version: string, revision: string): boolean =>
  !isPackage(version) || revisionMatches(version, revision);
