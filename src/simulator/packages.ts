import { createHash } from 'node:crypto';

const PACKAGE = /^(\d+)\.(\d+)\.(\d+)(?:[-+]([0-9a-f]+)(?:\.[0-9a-f]+)?)?/;

/** A believable package for tenants that nobody has deployed yet. */
export const DEFAULT_INITIAL_VERSION = '17.9.202502010900-0a1b2c3d4e5.5e4d3c2b1a0';

/** Negative where `a` is older than `b`: by major, minor and timestamp; shas never order. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [PACKAGE.exec(a), PACKAGE.exec(b)];
  if (x === null || y === null) return a < b ? -1 : a > b ? 1 : 0;
  for (const part of [1, 2, 3]) {
    const difference = Number(x[part]) - Number(y[part]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The commit that a cell on this package reports: its first sha, 11 hex digits. */
export function revisionOf(version: string | null): string {
  if (version === null) return '00000000000';
  const sha = PACKAGE.exec(version)?.[4];
  return (sha ?? createHash('sha1').update(version).digest('hex')).slice(0, 11);
}

/** What the application of this package calls itself. */
export function applicationVersion(version: string | null): string {
  const match = version === null ? null : PACKAGE.exec(version);
  if (match === null) return '17.9.0-pre';
  return `${match[1]}.${match[2]}.${match[4] === undefined ? `${match[3]}-ee` : '0-pre'}`;
}

/** The chart that belongs to a package where none is named: charts count nine majors behind. */
export function inferredChart(version: string): string {
  const match = PACKAGE.exec(version);
  if (match === null) return '8.9.0';
  return `${Math.max(0, Number(match[1]) - 9)}.${match[2]}.${match[3]}`;
}
