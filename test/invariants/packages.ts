/** Order of packages, read anew from the contract: by (major, minor, timestamp); shas never order. */

const PACKAGE = /^(\d+)\.(\d+)\.(\d{12})-[0-9a-f]+\.[0-9a-f]+$/;

type Parts = [number, number, number];

/** A log names the same few hundred packages in every job. */
const known = new Map<string, Parts | null>();

function partsOf(version: string): Parts | null {
  const parts = known.get(version);
  if (parts !== undefined) return parts;
  const match = PACKAGE.exec(version);
  const read: Parts | null = match ? [Number(match[1]), Number(match[2]), Number(match[3])] : null;
  known.set(version, read);
  return read;
}

/** Negative where `a` is older. What is no package counts as older than every package. */
export function compare(a: string | null, b: string | null): number {
  const left = a === null ? null : partsOf(a);
  const right = b === null ? null : partsOf(b);
  if (!left || !right) return Number(left !== null) - Number(right !== null);
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

export const isPackage = (version: string | null): version is string => version !== null && partsOf(version) !== null;

/** Whether both name the same package, or literally the same thing. */
export const same = (a: string | null, b: string | null): boolean =>
  a === b || (isPackage(a) && isPackage(b) && compare(a, b) === 0);

export const isOlder = (a: string | null, b: string | null): boolean =>
  isPackage(a) && isPackage(b) && compare(a, b) < 0;
