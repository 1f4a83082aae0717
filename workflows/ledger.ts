import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import { FAILURE } from '../src/contract/failures.js';
import { ledgerBatchId, ledgerTaskQueue } from '../src/contract/ids.js';
import type { AlertBook } from '../src/contract/internal.js';
import type {
  History,
  LedgerActivities,
  LedgerEntry,
  LedgerReadInput,
  LedgerReport,
  LedgerStatus,
} from '../src/contract/ledger.js';
import { alertsOfLedger, LEDGER_LATE_MS } from '../src/domain/alerts/ledger.js';
import { AlertDesk } from './shared/alert-desk.js';
import { handleOurs } from './shared/handle.js';
import * as signals from './shared/signals.js';

export interface LedgerInput {
  /** What an earlier run carried over. */
  state?: LedgerState;
  /** What only tests set. */
  continueAsNewAfter?: number;
  spillAt?: number;
  lateAfterMs?: number;
}

interface LedgerState {
  /** Entries that are not known to be written, oldest first. */
  pending: LedgerEntry[];
  written: number;
  batches: number;
  /** Since when entries are tried to be written, epoch ms; absent, null: none is. */
  stuckSinceMs?: number | null;
  /** The alert that is up. */
  alerts?: AlertBook;
}

const BATCH = 50;
/** More than these wait with runs of their own, so that this one's state stays small however long the database is away. */
const SPILL_AT = 100;
const CONTINUE_AFTER_EVENTS = 2_000;
const AGAIN_MS = 60_000;

/** Without an end: an attempt that fails, or a task that nobody takes, leaves nothing in the history. */
const write = () =>
  proxyActivities<LedgerActivities>({
    taskQueue: ledgerTaskQueue(workflowInfo().taskQueue),
    startToCloseTimeout: '1m',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '1m' },
  }).writeLedger;

/**
 * The way of entries to the ledger's database. Whoever has some signals them, and waits for nothing; here they stay until
 * they are written, for as long as the database is away. Lives for ever, by continue-as-new.
 */
export async function Ledger(input: LedgerInput = {}): Promise<void> {
  const run = new LedgerRun(input ?? {});
  CancellationScope.current().cancelRequested.catch(() => log.warn('a cancel of the ledger was refused'));
  await CancellationScope.nonCancellable(() => run.forEver());
}

class LedgerRun {
  private readonly state: LedgerState;
  /** Entries that are being written. */
  private writing: readonly LedgerEntry[] = [];
  private readonly write = write();
  private readonly alerts: AlertDesk;
  private woken = false;

  constructor(private readonly input: LedgerInput) {
    this.state = { pending: [], written: 0, batches: 0, ...input.state };
    const { state } = this;
    this.alerts = new AlertDesk(
      () => (state.alerts ??= {}),
      () => {
        this.woken = true;
      },
    );
    handleOurs(signals.enterSignal, ({ entries }) => this.enter(entries));
    setHandler(signals.ledgerStatusQuery, () => this.status(), { description: 'How many entries wait to be written.' });
  }

  async forEver(): Promise<never> {
    void this.keepWriting();
    for (;;) {
      this.woken = false;
      this.keepAlerts();
      await condition(() => this.woken || this.hasToSpill() || this.mayContinueAsNew());
      if (this.hasToSpill()) await this.spill();
      else if (this.mayContinueAsNew()) await continueAsNew<typeof Ledger>({ ...this.input, state: this.state });
    }
  }

  /** That nobody takes entries delays nothing; but what waits for weeks is lost with Temporal's own database. */
  private keepAlerts(): void {
    const { pending, stuckSinceMs = null } = this.state;
    const { lateAfterMs = LEDGER_LATE_MS } = this.input;
    this.alerts.keep(alertsOfLedger(this.status(), pending, stuckSinceMs, { now: Date.now(), lateAfterMs }));
  }

  private enter(entries: LedgerEntry[]): void {
    const { pending } = this.state;
    const known = new Set(pending.map(({ id }) => id));
    for (const entry of entries) {
      if (known.has(entry.id)) continue;
      known.add(entry.id);
      pending.push(entry);
    }
    this.show();
  }

  private async keepWriting(): Promise<never> {
    const { state } = this;
    for (;;) {
      await condition(() => state.pending.length > 0);
      this.writing = state.pending.slice(0, this.batch);
      if (state.stuckSinceMs == null) {
        state.stuckSinceMs = Date.now();
        this.woken = true;
      }
      try {
        await this.write({ entries: [...this.writing] });
        state.stuckSinceMs = null;
        this.forget(this.writing);
        state.written += this.writing.length;
      } catch (error) {
        log.warn('entries of the ledger cannot be written, and are tried again', { error: String(error) });
        await sleep(AGAIN_MS);
      }
      this.writing = [];
      this.woken = true;
      this.show();
    }
  }

  private forget(entries: readonly LedgerEntry[]): void {
    const ids = new Set(entries.map(({ id }) => id));
    this.state.pending = this.state.pending.filter(({ id }) => !ids.has(id));
  }

  private get idle(): LedgerEntry[] {
    const ids = new Set(this.writing.map(({ id }) => id));
    return this.state.pending.filter(({ id }) => !ids.has(id));
  }

  private get spillAt(): number {
    return this.input.spillAt ?? SPILL_AT;
  }

  private get batch(): number {
    return Math.min(BATCH, this.spillAt);
  }

  private hasToSpill(): boolean {
    return this.idle.length >= this.spillAt;
  }

  private async spill(): Promise<void> {
    const { state } = this;
    const entries = this.idle.slice(0, this.batch);
    const [first, last] = [entries.at(0), entries.at(-1)];
    if (!first || !last) return;
    state.batches += 1;
    const started = startChild(LedgerBatch, {
      workflowId: ledgerBatchId(first.id, last.id),
      args: [{ entries }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `${entries.length} entries of the ledger that its database has not taken yet`,
    });
    await started.catch(unlessGivenAway);
    this.forget(entries);
    this.show();
  }

  private mayContinueAsNew(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    const isLong = continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
    // What is being written is written once more by the next run, which changes nothing.
    return isLong && allHandlersFinished();
  }

  private status(): LedgerStatus {
    const { pending, written, batches } = this.state;
    return { waiting: pending.length, waitingSince: pending[0]?.at ?? null, written, batches };
  }

  private show(): void {
    const { waiting, waitingSince, written, batches } = this.status();
    const since = waitingSince === null ? '' : `, the oldest since ${waitingSince}`;
    const given = batches === 0 ? '' : `\n\n${batches} batches were given to runs of their own.`;
    setCurrentDetails(`**${waiting}** entries wait for the ledger's database${since}; ${written} written${given}`);
  }
}

/** A run that was reset comes to what it had done before. */
function unlessGivenAway(error: unknown): void {
  if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
}

/** Entries that the ledger's database did not take in time: tried until it does. */
export async function LedgerBatch(input: { entries: LedgerEntry[] }): Promise<void> {
  if (!Array.isArray(input?.entries)) {
    throw ApplicationFailure.nonRetryable('expected an object {entries: []}', FAILURE.badArgument);
  }
  CancellationScope.current().cancelRequested.catch(() => log.warn('a cancel of entries for the ledger was refused'));
  await CancellationScope.nonCancellable(() => write()({ entries: input.entries }));
}

/** Reads the ledger for somebody who has no way to its database. Fails with `LedgerUnserved` or `LedgerUnavailable`. */
export async function LedgerRead(input: LedgerReadInput): Promise<History | LedgerReport> {
  const { readLedger, reportLedger } = proxyActivities<LedgerActivities>({
    taskQueue: ledgerTaskQueue(workflowInfo().taskQueue),
    scheduleToStartTimeout: '5s',
    startToCloseTimeout: '30s',
    retry: { maximumAttempts: 2, initialInterval: '500ms' },
  });
  try {
    const isObject = typeof input === 'object' && input !== null;
    if (isObject && 'history' in input) return await readLedger(input.history);
    if (isObject && 'report' in input) return await reportLedger(input.report);
  } catch (error) {
    throw readFailure(error);
  }
  throw ApplicationFailure.nonRetryable('expected an object {history} or {report}', FAILURE.badArgument);
}

function readFailure(error: unknown): unknown {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) return error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START') {
    return ApplicationFailure.nonRetryable('no worker has the ledger open', FAILURE.ledgerUnserved);
  }
  const message = `the ledger's database does not answer: ${cause?.message ?? error.message}`;
  return ApplicationFailure.nonRetryable(message, FAILURE.ledgerUnavailable);
}
