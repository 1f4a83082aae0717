import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest begins first, so that nothing long is left for one process while the others are done. */
const LONG = ['property/', 'processes/', 'workflows/', 'replay/', 'docs/', 'cli/', 'simulator/', 'config/'];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return [...files].sort((a, b) => this.rank(a) - this.rank(b) || (a.moduleId < b.moduleId ? -1 : 1));
  }

  private rank({ moduleId }: TestSpecification): number {
    const path = relative(`${this.ctx.config.root}/test`, moduleId);
    const rank = LONG.findIndex((folder) => path.startsWith(folder));
    return (rank < 0 ? LONG.length : rank) + (path.includes('.long.') ? 0 : 0.5);
  }
}
