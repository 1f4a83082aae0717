import type { LedgerReport, Spread } from '../../contract/ledger.js';
import type { Context, Outcome } from '../context.js';
import { sparklines } from '../sparkline.js';
import { table } from '../table.js';
import { roughly } from '../time.js';
import { instantOf } from './since.js';

export async function showReport(context: Context, since: string): Promise<Outcome> {
  const now = context.io.now();
  const query = { since: instantOf(since, now), until: new Date(now).toISOString() };
  const report = await (await context.cells()).ledger().report(query);
  return { json: report, text: textOf(report) };
}

export function textOf(report: LedgerReport): string[] {
  const { deployments, changeFailureRate: rate, timeToRestore } = report;
  const failures = Object.entries(report.failures).map(([outcome, count]) => `${count} ${outcome}`);
  const failed =
    rate.share === null
      ? 'no pass over an outer ring'
      : `${percent(rate.share)}: ${rate.failed} of ${rate.passes} passes`;
  return [
    `from ${report.since} to ${report.until}, outer rings, from what the ledger has`,
    `deployments          ${deployments.perDay} a day: ${deployments.packages} packages, ${deployments.rings} rings, ${deployments.cells} cells`,
    `change failure rate  ${failed}`,
    `cells that failed    ${failures.join(', ') || 'none'}`,
    `time to restore      ${spreadText(timeToRestore)}${timeToRestore.open > 0 ? `; ${timeToRestore.open} not restored` : ''}`,
    '',
    ...ringLines(report),
  ];
}

/** One line a ring: how long from graduation to converged, and how far behind it was, day by day. */
function ringLines({ leadTime, drift }: LedgerReport): string[] {
  const rings = [...new Set([...Object.keys(leadTime), ...Object.keys(drift)])].sort((a, b) => Number(a) - Number(b));
  if (rings.length === 0) return ['no outer ring has converged'];
  const rows = rings.map((ring) => {
    const behind = Object.values(drift[ring] ?? {});
    const last = behind.at(-1);
    return [
      ring,
      leadTime[ring] ? spreadText(leadTime[ring]) : '',
      last === undefined ? '' : String(last),
      behind.length === 0 ? '' : String(Math.max(...behind)),
      drawn(behind),
    ];
  });
  return table(['RING', 'LEAD TIME', 'BEHIND', 'MOST', 'BY DAY'], rows);
}

const MOST_COLUMNS = 60;

/** Day after day, lowest to highest. */
function drawn(behind: readonly number[]): string {
  const samples = behind.map((count, day): [number, number] => [day + 1, count]);
  const columns = Math.min(samples.length, MOST_COLUMNS);
  return sparklines([{ samples, fromMs: 0, toMs: samples.length, columns }])[0] ?? '';
}

function spreadText({ count, medianMs, p90Ms, longestMs }: Spread): string {
  if (medianMs === null || p90Ms === null || longestMs === null) return 'none';
  return `median ${roughly(medianMs)}, p90 ${roughly(p90Ms)}, longest ${roughly(longestMs)} (${count})`;
}

const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;
