import { randomUUID } from 'node:crypto';

const MAX_NAME = 70;

/**
 * The id of a brake that nobody named: who, when, and what keeps two of one moment apart, e.g.
 * `alice-20261223T101500-5f0c91be`. A brake takes the place of another of the same id, so no two may have it by accident.
 *
 * @param unlike by chance, unless given
 */
export function brakeIdFor(by: string, now: number, unlike = chance()): string {
  const name = by.replace(/[^A-Za-z0-9._:-]+/g, '-').replace(/^-+|-+$/g, '');
  const instant = new Date(now).toISOString().replace(/[-:]|\.\d+Z$/g, '');
  return `${name.slice(0, MAX_NAME) || 'somebody'}-${instant}-${unlike}`;
}

const chance = (): string => randomUUID().replaceAll('-', '').slice(0, 8);
