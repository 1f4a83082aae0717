import { LEDGER_MOST_ENTRIES, type LedgerEntry } from '../../contract/ledger.js';
import type { HistoryOptions } from '../commands/ledger.js';
import type { Context, Outcome } from '../context.js';
import { table } from '../table.js';
import { clock, roughly } from '../time.js';
import { instantOf } from './since.js';

export async function showHistory(context: Context, options: HistoryOptions): Promise<Outcome> {
  const { cell, package: version, ring, failures, since, limit } = options;
  const now = context.io.now();
  const history = await (await context.cells()).ledger().history({
    limit: Math.min(limit, LEDGER_MOST_ENTRIES),
    ...(cell === undefined ? {} : { cell }),
    ...(version === undefined ? {} : { version }),
    ...(ring === undefined ? {} : { ring }),
    ...(failures ? { failures } : {}),
    ...(since === undefined ? {} : { since: instantOf(since, now) }),
  });
  if (history.entries.length === 0) return { json: history, text: ['the ledger has nothing of that'] };
  const rows = history.entries.map((entry) => [
    clock(entry.at, now),
    whatOf(entry),
    entry.by,
    subjectOf(entry),
    cut(entry.outcome ?? ''),
    whyOf(entry),
  ]);
  const more = history.more ? [`there is more: --limit ${limit * 2}, or a later --since`] : [];
  return { json: history, text: [...table(['WHEN', 'WHAT', 'WHO', 'ABOUT', 'OUTCOME', 'WHY'], rows), ...more] };
}

const MOST_OUTCOME = 50;

/** One long outcome would push the reasons of all others out of sight; `--json` has it whole. */
const cut = (text: string): string => (text.length <= MOST_OUTCOME ? text : `${text.slice(0, MOST_OUTCOME - 1)}…`);

/** A pass that goes back, or runs PDM, is not to be read as a deployment. */
function whatOf({ act, facts }: LedgerEntry): string {
  const { purpose } = facts ?? {};
  return purpose === 'rollback' || purpose === 'migrate' ? `${act} (${purpose})` : act;
}

const subjectOf = ({ version, ring, cell }: LedgerEntry): string =>
  [version, ring === undefined ? '' : `ring ${ring}`, cell].filter(Boolean).join(' ');

function whyOf({ reason, url, jobId, evidence = [], tookMs }: LedgerEntry): string {
  const took = tookMs === undefined ? '' : `after ${roughly(tookMs)}`;
  return [reason, ...evidence, jobId && `job ${jobId}`, took, url].filter(Boolean).join('; ');
}
