import type { PackageRolloutStatus } from '../../contract/status.js';
import { type ShadowReport, shadowReport } from '../../domain/health/report.js';
import type { Context, Outcome } from '../context.js';

const AT_ONCE = 10;

/** How well health in shadow would have decided on the newest rollouts. */
export async function showHealthReport(context: Context, limit: number): Promise<Outcome> {
  const cells = await context.cells();
  const rollouts = await cells.listRollouts({ limit });
  const statuses: PackageRolloutStatus[] = [];
  for (let at = 0; at < rollouts.length; at += AT_ONCE) {
    const some = rollouts.slice(at, at + AT_ONCE).map(({ version }) => cells.rollout(version).status());
    const known = await Promise.allSettled(some);
    statuses.push(...known.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  }
  const report = shadowReport(statuses);
  const unread = rollouts.length - statuses.length;
  const { table } = await import('../table.js');
  const rows = report.cases.map((c) => [c.version, String(c.ring), c.was, c.wouldHave ?? 'gone on']);
  const text =
    rows.length === 0
      ? ['no ring with health in shadow was rolled over by these; set `mode: shadow` under `health` in the topology']
      : [...table(['VERSION', 'RING', 'WAS', 'WOULD HAVE'], rows), '', ...summaryOf(report)];
  const notRead = unread > 0 ? [`${unread} of ${rollouts.length} rollouts could not be read`] : [];
  return { json: { ...report, unread }, text: [...text, ...notRead] };
}

const summaryOf = ({ goodStopped, badMissed }: ShadowReport): string[] => [
  `good packages that would have been stopped: ${goodStopped.count} of ${goodStopped.of}`,
  `bad packages that would have gone on:       ${badMissed.count} of ${badMissed.of}`,
];
