import type { Alert } from '../../contract/activities.js';
import type { LedgerEntry, LedgerStatus } from '../../contract/ledger.js';
import type { Due } from './book.js';

/** A database that restarts, or a worker that is replaced, is back long before that. */
export const LEDGER_LATE_MS = 3_600_000;

/** @param stuckSinceMs since when entries are tried to be written in vain, epoch ms; null: none is */
export function alertsOfLedger(
  { waiting, batches }: LedgerStatus,
  [first]: readonly LedgerEntry[],
  stuckSinceMs: number | null,
  { now, lateAfterMs }: { now: number; lateAfterMs: number },
): Due {
  if (stuckSinceMs === null) return { alerts: [], nextMs: null };
  const dueMs = stuckSinceMs + lateAfterMs;
  if (now < dueMs) return { alerts: [], nextMs: dueMs };
  const more = batches > 0 ? ', and others in runs of `LedgerBatch`' : '';
  const alert: Alert = {
    name: 'LedgerBehind',
    severity: 's3',
    cluster: first?.cluster ?? '',
    summary: `the ledger has taken no entry since ${new Date(stuckSinceMs).toISOString()}: ${waiting} wait${more}`,
    next: ['cellctl history --limit 1'],
    startedAtMs: stuckSinceMs,
  };
  return { alerts: [alert], nextMs: null };
}
