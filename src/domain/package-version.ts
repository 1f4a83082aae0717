import { isCalendarMinute } from './instant.js';

/** An auto-deploy package, e.g. `17.10.202503180906-6a387d336a7.c1c3e017782`. */
export interface PackageVersion {
  raw: string;
  major: number;
  minor: number;
  /** `YYYYMMDDHHMM`, UTC. */
  timestamp: string;
  gitlabSha: string;
  omnibusSha: string;
}

const PACKAGE = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(\d{12})-([0-9a-f]{7,64})\.([0-9a-f]{7,64})$/;
const REVISION = /^[0-9a-f]{7,64}$/;

/**
 * What was read before: a cluster compares the same hundred packages in every workflow task, and reading one takes a
 * hundred times as long as finding it. Of no consequence but the time it takes.
 */
const read = new Map<string, Readonly<PackageVersion> | null>();
const READ_AT_MOST = 1_000;

/** Reads a package, exactly as AMP knows it; null for anything else, a monthly release (`17.10.0`) included. */
export function parsePackage(text: string): Readonly<PackageVersion> | null {
  const known = read.get(text);
  if (known !== undefined) return known;
  if (read.size >= READ_AT_MOST) read.clear();
  const parsed = parse(text);
  read.set(text, parsed);
  return parsed;
}

function parse(text: string): Readonly<PackageVersion> | null {
  const match = PACKAGE.exec(text);
  if (!match) return null;
  const [, major = '', minor = '', timestamp = '', gitlabSha = '', omnibusSha = ''] = match;
  if (!isTimestamp(timestamp)) return null;
  return Object.freeze({ raw: text, major: Number(major), minor: Number(minor), timestamp, gitlabSha, omnibusSha });
}

/** Whether the text is a package. */
export const isPackage = (text: string): boolean => parsePackage(text) !== null;

/**
 * Orders two packages by (major, minor, timestamp), numerically: negative where `a` is older, 0 where neither is newer.
 * Shas never order. Throws RangeError on what is not a package.
 */
export function comparePackages(a: string, b: string): number {
  const left = mustParse(a);
  const right = mustParse(b);
  return left.major - right.major || left.minor - right.minor || Number(left.timestamp) - Number(right.timestamp);
}

/** Whether `a` is strictly newer than `b`. Throws RangeError on what is not a package. */
export const isNewer = (a: string, b: string): boolean => comparePackages(a, b) > 0;

/** Whether both name one package: same numbers, and shas that are equal as far as both are written. Throws RangeError. */
export const samePackage = (a: string, b: string): boolean => comparePackages(a, b) === 0 && shasAgree(a, b);

/** Whether both are one version; for what AMP says, which may be no package at all, or nothing. */
export function sameVersion(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false;
  return a === b || (isPackage(a) && isPackage(b) && samePackage(a, b));
}

/** Whether two different packages claim one place in the order: same numbers, other shas. Throws RangeError. */
export const conflictsWith = (a: string, b: string): boolean => comparePackages(a, b) === 0 && !shasAgree(a, b);

/** Reads a pasted tag, where `+` may stand for `-` and blanks around it are ignored: the package, or null. */
export function fromTag(text: string): string | null {
  const version = text.trim().replace('+', '-');
  return isPackage(version) ? version : null;
}

/**
 * Whether a cell that reports this `revision` runs the application of this package: its first sha, either one possibly
 * cut short (7 characters at least). False for a text that is no package or no revision, so that nonsense proves nothing.
 */
export function revisionMatches(version: string, revision: string): boolean {
  const parsed = parsePackage(version);
  return parsed !== null && REVISION.test(revision) && prefixEqual(parsed.gitlabSha, revision);
}

/** The newest of the packages, the first of several at one place; null where there is none. Throws RangeError. */
export function newest(versions: readonly string[]): string | null {
  return versions.reduce<string | null>(
    (best, version) => (best !== null && !isNewer(version, best) ? best : mustParse(version).raw),
    null,
  );
}

function mustParse(text: string): Readonly<PackageVersion> {
  const parsed = parsePackage(text);
  if (!parsed) throw new RangeError(`not a package: ${JSON.stringify(text)}`);
  return parsed;
}

function shasAgree(a: string, b: string): boolean {
  const left = mustParse(a);
  const right = mustParse(b);
  return prefixEqual(left.gitlabSha, right.gitlabSha) && prefixEqual(left.omnibusSha, right.omnibusSha);
}

const prefixEqual = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);

function isTimestamp(digits: string): boolean {
  const part = (from: number, to: number) => Number(digits.slice(from, to));
  return isCalendarMinute(part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12));
}
