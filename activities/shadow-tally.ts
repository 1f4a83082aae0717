import type { CellVerdict, HealthPolicy } from '../src/contract/health.js';
import type { WatchedCells } from '../src/contract/internal.js';
import type { RingHealth } from '../src/contract/status.js';

/**
 * How the cells of a ring in shadow were judged after their deployment. Where verdicts are obeyed each cell waits for its
 * own; in shadow nobody waits, so whoever watches the ring counts them: a fault at once, all else when the cell's window is
 * over.
 */
export class ShadowTally {
  /** The verdict that counts, by cell and by when it was deployed to. */
  private readonly verdicts = new Map<string, CellVerdict>();
  private told = '';

  constructor(private readonly policy: Pick<HealthPolicy, 'windowMs'>) {}

  get counts(): RingHealth['cells'] {
    const counts = { healthy: 0, quiet: 0, unhealthy: 0, inconclusive: 0 };
    for (const { verdict, quiet } of this.verdicts.values()) {
      counts[verdict] += 1;
      if (quiet) counts.quiet += 1;
    }
    return counts;
  }

  /** Answers whether that changed a count. */
  note(
    judged: readonly CellVerdict[],
    { onNew }: Pick<WatchedCells, 'onNew'>,
    ids: readonly { id: string }[],
  ): boolean {
    const deployedAt = new Map(onNew.map(([index, , endedAtMs]) => [ids[index]?.id ?? '', endedAtMs]));
    for (const verdict of judged) {
      const atMs = deployedAt.get(verdict.cell) ?? null;
      if (atMs === null) continue;
      const key = `${verdict.cell} ${atMs}`;
      const isDue = verdict.verdict === 'unhealthy' || verdict.atMs >= atMs + this.policy.windowMs;
      if (isDue && !this.verdicts.has(key)) this.verdicts.set(key, verdict);
    }
    const now = JSON.stringify(this.counts);
    const isNew = now !== this.told;
    this.told = now;
    return isNew;
  }
}
