import type { CellVerdict, HealthPolicy } from '../src/contract/health.js';
import type { WatchedCells } from '../src/contract/internal.js';
import type { RingHealth } from '../src/contract/status.js';

/**
 * How the cells of a ring in shadow were judged after their deployment. Where verdicts are obeyed each cell waits for its
 * own; in shadow nobody waits, so whoever watches the ring counts them: a fault at once, all else when the cell's window is
 * over. A cell counts once, whatever job was its last: a fault stays its verdict, else the one after its newest job is.
 */
export class ShadowTally {
  /** The verdict that counts, and the end of the job that it is about, in epoch ms; by cell. */
  private readonly verdicts = new Map<string, { verdict: CellVerdict; jobEndedAtMs: number }>();
  private told = '';

  constructor(private readonly policy: Pick<HealthPolicy, 'windowMs'>) {}

  get counts(): RingHealth['cells'] {
    const counts = { healthy: 0, quiet: 0, unhealthy: 0, inconclusive: 0 };
    for (const { verdict } of this.verdicts.values()) {
      counts[verdict.verdict] += 1;
      if (verdict.quiet) counts.quiet += 1;
    }
    return counts;
  }

  /** Answers whether that changed a count. */
  note(
    judged: readonly CellVerdict[],
    { onNew }: Pick<WatchedCells, 'onNew'>,
    ids: readonly { id: string }[],
  ): boolean {
    const endedAt = new Map(onNew.map(([index, , endedAtMs]) => [ids[index]?.id ?? '', endedAtMs]));
    for (const verdict of judged) {
      const jobEndedAtMs = endedAt.get(verdict.cell) ?? null;
      if (jobEndedAtMs === null) continue;
      const isDue = verdict.verdict === 'unhealthy' || verdict.atMs >= jobEndedAtMs + this.policy.windowMs;
      if (isDue && this.isNews(verdict, jobEndedAtMs)) this.verdicts.set(verdict.cell, { verdict, jobEndedAtMs });
    }
    const now = JSON.stringify(this.counts);
    const isNew = now !== this.told;
    this.told = now;
    return isNew;
  }

  private isNews({ cell, verdict }: CellVerdict, jobEndedAtMs: number): boolean {
    const counted = this.verdicts.get(cell);
    if (counted === undefined) return true;
    if (counted.verdict.verdict === 'unhealthy') return false;
    return verdict === 'unhealthy' || jobEndedAtMs > counted.jobEndedAtMs;
  }
}
