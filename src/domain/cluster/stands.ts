import { isNewer, isPackage, sameVersion } from '../package-version.js';

/**
 * The package on which the whole ring converged last; null: on none, or it was taken back since: every cell that was seen
 * runs something older.
 */
export function standsOn({
  converged,
  observed,
}: {
  converged: string | null;
  observed: Record<string, number>;
}): string | null {
  if (converged === null) return null;
  const seen = Object.keys(observed).filter(isPackage);
  return seen.length === 0 || seen.some((version) => !isNewer(converged, version)) ? converged : null;
}

/** Whether the whole ring has the package, or a newer one. */
export function hasIt(ring: Parameters<typeof standsOn>[0], version: string): boolean {
  const has = standsOn(ring);
  return has !== null && (sameVersion(has, version) || isNewer(has, version));
}
