import { isPackage, parsePackage } from './package-version.js';

/**
 * GitLab is upgraded a minor version at a time where its migrations are to be trusted; every major one ends with its
 * minor 11. Source: GitLab's "Upgrade paths" and its release cadence of one minor version a month.
 */
const LAST_MINOR = 11;

/** Who is further behind than this is not upgraded, but built anew. */
const NAMED_AT_MOST = 12;

/**
 * The minor versions to stop at on the way from one package to a newer one, e.g. `['17.9', '17.10']`, the first dozen of
 * them; empty: none, they are at most one minor version apart, or it cannot be told.
 */
export function upgradeStops(from: string | null, to: string): string[] {
  const [a, b] = [from !== null && isPackage(from) ? parsePackage(from) : null, parsePackage(to)];
  if (!a || !b) return [];
  const stops: string[] = [];
  for (let at = next(a); before(at, b) && stops.length < NAMED_AT_MOST; at = next(at))
    stops.push(`${at.major}.${at.minor}`);
  return stops;
}

const UPGRADE_PATH = 'upgrade-path';

/** Whether the reason of an exception is that the cell was too far behind. */
export const isTooFarBehind = (reason: string): boolean => reason.includes(`${UPGRADE_PATH}: `);

/** A cell that is more than a minor version behind is not deployed: in words, with the stops in between; null: it is not. */
export function tooFarBehind({ version: runs }: { version: string | null }, to: string): string | null {
  const stops = upgradeStops(runs, to);
  if (stops.length === 0) return null;
  return `${UPGRADE_PATH}: it runs ${runs}; bring it to ${stops.join(', then ')} first`;
}

interface Minor {
  major: number;
  minor: number;
}

const next = ({ major, minor }: Minor): Minor =>
  minor >= LAST_MINOR ? { major: major + 1, minor: 0 } : { major, minor: minor + 1 };

const before = (a: Minor, b: Minor): boolean => a.major < b.major || (a.major === b.major && a.minor < b.minor);
