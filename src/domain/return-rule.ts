import { comparePackages, isPackage } from './package-version.js';

/**
 * The rule of return: a cell can go back to a package without downtime exactly when the newest package whose
 * post-deployment migrations have begun there is that package or an older one. Unknown counts as migrated. A version
 * that is no package has no order: of it only itself is known to be no newer.
 */
export function returnsWithoutDowntime(migratedVersion: string | null, target: string): boolean {
  if (migratedVersion !== null && migratedVersion === target) return true;
  if (migratedVersion === null || !isPackage(migratedVersion) || !isPackage(target)) return false;
  return comparePackages(migratedVersion, target) <= 0;
}
