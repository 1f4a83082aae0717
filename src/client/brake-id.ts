const MAX_NAME = 80;

/** The id of a brake that nobody named: who and when, e.g. `alice-20261223T101500`. */
export function brakeIdFor(by: string, now: number): string {
  const name = by.replace(/[^A-Za-z0-9._:-]+/g, '-').replace(/^-+|-+$/g, '');
  const instant = new Date(now).toISOString().replace(/[-:]|\.\d+Z$/g, '');
  return `${name.slice(0, MAX_NAME) || 'somebody'}-${instant}`;
}
