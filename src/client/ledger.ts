import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ledgerReadId } from '../contract/ids.js';
import type { History, HistoryQuery, LedgerReadInput, LedgerReport, ReportQuery } from '../contract/ledger.js';
import type { Calls } from './calls.js';
import { FailedError } from './errors.js';
import { toClientError } from './translate.js';

/** Longer than the ledger may take, with the seconds after which it is known that nobody serves it. */
const ANSWER_MS = 60_000;

/**
 * The ledger, read through a workflow: its database may be open in one process only. Everything throws a `ClientError`: a
 * `FailedError` of type `LedgerUnserved` where no worker has the ledger open, `LedgerUnavailable` where its database is away.
 */
export class LedgerClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  history(query: HistoryQuery): Promise<History> {
    return this.#read<History>({ history: query });
  }

  report(query: ReportQuery): Promise<LedgerReport> {
    return this.#read<LedgerReport>({ report: query });
  }

  async #read<T>(input: LedgerReadInput): Promise<T> {
    const { client, taskQueue } = this.#calls;
    const workflowId = ledgerReadId(randomUUID());
    const options = { workflowId, taskQueue, args: [input], workflowExecutionTimeout: ANSWER_MS } as const;
    try {
      const reading = () => client.workflow.execute<(i: LedgerReadInput) => Promise<T>>('LedgerRead', options);
      return await client.withDeadline(Date.now() + ANSWER_MS, reading);
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw toClientError(error, workflowId);
      throw failedRead(error);
    }
  }
}

function failedRead({ cause, message }: WorkflowFailedError): FailedError {
  const type = cause instanceof ApplicationFailure ? (cause.type ?? 'Unknown') : 'Unknown';
  return new FailedError(type, cause?.message ?? message, { cause });
}
