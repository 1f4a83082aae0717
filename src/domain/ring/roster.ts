import type { CellRef } from '../../contract/activities.js';
import { unpackCells } from '../snapshot.js';

/**
 * The cells of a pass, frozen when it entered the ring, and what each was last seen to run. Versions stand once in a
 * table, and each cell holds an index into it, so that 10,000 cells carry over in a few kilobytes.
 */
export class Roster {
  readonly cells: readonly CellRef[];
  private readonly indices: Map<string, number>;

  private constructor(
    cellsGz: string,
    private readonly versions: (string | null)[],
    private readonly seen: number[],
    readonly observed: Record<string, number>,
  ) {
    this.cells = unpackCells(cellsGz);
    this.indices = new Map(this.cells.map((cell, index) => [cell.id, index]));
  }

  static of(cellsGz: string, carried?: CarriedRoster): Roster {
    return new Roster(cellsGz, carried?.versions ?? [], carried?.seen ?? [], carried?.observed ?? {});
  }

  carry(): CarriedRoster {
    const { versions, seen, observed } = this;
    return { versions, seen, observed };
  }

  indexOf(cell: string): number | undefined {
    return this.indices.get(cell);
  }

  readonly idOf = (index: number): string => this.cells[index]?.id ?? '';

  /** What the cell was last seen to run; null is unknown. */
  readonly versionOf = (index: number): string | null => this.versions[this.seen[index] ?? -1] ?? null;

  /** How many of these cells were last seen to run what. */
  observedOf(indices: readonly number[]): Record<string, number> {
    const observed: Record<string, number> = {};
    for (const index of indices) {
      if (this.seen[index] === undefined) continue;
      const key = this.versionOf(index) ?? 'unknown';
      observed[key] = (observed[key] ?? 0) + 1;
    }
    return observed;
  }

  /** Notes what a cell runs, and keeps the count of what runs where. */
  see(index: number, version: string | null): void {
    if (this.seen[index] !== undefined) this.count(this.versionOf(index), -1);
    this.count(version, 1);
    const known = this.versions.indexOf(version);
    this.seen[index] = known < 0 ? this.versions.push(version) - 1 : known;
  }

  private count(version: string | null, by: number): void {
    const key = version ?? 'unknown';
    const cells = (this.observed[key] ?? 0) + by;
    if (cells > 0) this.observed[key] = cells;
    else delete this.observed[key];
  }
}

export interface CarriedRoster {
  versions: (string | null)[];
  seen: number[];
  /** version → how many cells run it. */
  observed: Record<string, number>;
}
