import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import { LEDGER_WORKFLOW_ID } from '../../src/contract/ids.js';
import type { LedgerEntry, NewEntry } from '../../src/contract/ledger.js';
import { bounded, newOutbox, type Outbox } from '../../src/domain/ledger/entry.js';
import { tellLedger } from './activities.js';
import type { Mail } from './mail.js';
import { enterSignal } from './signals.js';

/** Small enough that a signal stays far below what a payload may be. */
const AT_ONCE = 50;
/** So many wait for the cluster's name; the next ones go without it. */
const WAIT_FOR_NAME = 100;

export interface LedgerHost {
  /** Where entries wait: part of the state that is carried over. */
  readonly state: { outbox?: Outbox };
  readonly mail: Mail;
  /** Name of the cluster; null: it is not known yet, and entries wait for it; empty: they do not. */
  cluster(): string | null;
  wake(): void;
}

/**
 * What one workflow has to enter in the ledger. Nothing waits for it; what another workflow has not taken stays in the
 * state, so that no entry is lost; and each has its own id, so that one sent again is entered once.
 */
export class LedgerDesk {
  private readonly outbox: Outbox;
  private sending = false;

  constructor(private readonly host: LedgerHost) {
    this.outbox = host.state.outbox ?? newOutbox();
    host.state.outbox = this.outbox;
    this.flush();
  }

  /** The workflow may end: nothing is left that only it knows. */
  get isEmpty(): boolean {
    return this.outbox.entries.length === 0;
  }

  note(entry: NewEntry): void {
    const { outbox } = this;
    outbox.noted += 1;
    // Not the first run's id: after a reset a run begins to count where an earlier one had counted on.
    const id = `${workflowInfo().runId}/${outbox.noted}`;
    const at = new Date(Date.now()).toISOString();
    outbox.entries.push({ id, at, cluster: '', ...bounded(entry) });
    this.flush();
  }

  /** Sends what waits, unless it is being sent; what is noted meanwhile, or within this turn, goes with it. */
  flush(): void {
    if (this.sending || this.isEmpty) return;
    this.sending = true;
    // What Temporal's cancel makes a workflow note is entered all the same.
    void CancellationScope.nonCancellable(() => this.send());
  }

  private async send(): Promise<void> {
    const { outbox, host } = this;
    await Promise.resolve();
    while (this.maySend()) {
      const cluster = host.cluster() ?? '';
      const entries = outbox.entries.slice(0, AT_ONCE).map((entry) => ({ ...entry, cluster }));
      if (!(await host.mail.sendAtOnce(LEDGER_WORKFLOW_ID, enterSignal, { entries }))) await tellLedger({ entries });
      outbox.entries = without(outbox.entries, entries);
      host.wake();
    }
    this.sending = false;
  }

  private maySend(): boolean {
    const waiting = this.outbox.entries.length;
    return waiting > WAIT_FOR_NAME || (waiting > 0 && this.host.cluster() !== null);
  }
}

const without = (all: LedgerEntry[], sent: readonly LedgerEntry[]): LedgerEntry[] => {
  const ids = new Set(sent.map(({ id }) => id));
  return all.filter(({ id }) => !ids.has(id));
};
