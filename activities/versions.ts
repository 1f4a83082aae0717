import { isPackage, revisionMatches } from '../src/domain/package-version.js';

/**
 * Whether a cell's revision speaks for this version. Only a package's name carries a revision: of anything else that a
 * cell is rolled back to (`17.10.0`) AMP's word has to do.
 */
export const runsCommit = (version: string, revision: string): boolean =>
  !isPackage(version) || revisionMatches(version, revision);
