import type { Topology, WrittenPolicy } from '../../src/domain/topology/index.js';

/** The ring that is measured: the first one beyond the perimeter. */
export const RING = 2;

/** A main stage that nobody touches, and one outer ring of so many cells, without bake and grace period. */
export function oneRing(cells: number, policy: WrittenPolicy): Topology {
  return {
    cluster: 'bench',
    perimeter: 1,
    policy: { bakeTime: '0s', gracePeriod: '0s', pollInterval: '1s', verifyTimeout: '1m', firstCells: 1, ...policy },
    rings: [
      { ring: 1, name: 'main-stage', deployedBy: 'external', cells: [{ id: 'legacy', observe: true }] },
      { ring: RING, name: 'measured', cells: Array.from({ length: cells }, (_, i) => cell(i + 1)) },
    ],
  };
}

const cell = (n: number) => ({ id: `cell-${n}`, tenant: `c01bench${String(n).padStart(6, '0')}` });

/** The `n`th of a row of packages, each newer than the one before. */
export function packageNumber(n: number): string {
  const timestamp = 202503180000 + n;
  const sha = (salt: number) => ((n * 2654435761 + salt) % 2 ** 44).toString(16).padStart(11, '0');
  return `17.10.${timestamp}-${sha(0x6a387d3)}.${sha(0xc1c3e01)}`;
}
