import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest begins first, so that nothing long is left for one process while the others are done. */
// Those that mostly wait stand before those that do not.
const LONGEST = [
  'property/rollouts',
  'workflows/calendar.long',
  'processes/',
  'simulator/process',
  'config/',
  'workflows/',
];
const REST = ['replay/', 'docs/', 'cli/', 'simulator/'];
const ORDER = [...LONGEST, ...REST];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return [...files].sort((a, b) => this.rank(a) - this.rank(b) || (a.moduleId < b.moduleId ? -1 : 1));
  }

  private rank({ moduleId }: TestSpecification): number {
    const path = relative(`${this.ctx.config.root}/test`, moduleId);
    const rank = ORDER.findIndex((beginning) => path.startsWith(beginning));
    return (rank < 0 ? ORDER.length : rank) + (path.includes('.long.') ? 0 : 0.5);
  }
}
