import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  WithStartWorkflowOperation,
  type WorkflowHandle,
  type WorkflowUpdateHandle,
} from '@temporalio/client';
import { type Workflow, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type CutOff, closedRunArgs, cutOffBy } from '../contract/closed-run.js';
import type { WorkflowType } from '../contract/ids.js';
import { TimedOutError, UnreachableError } from './errors.js';
import { isCollision, isDeadline, isPassing, toClientError } from './translate.js';

export interface Limits {
  /** How long a worker may take to accept an update, or to answer a query, in ms. */
  acceptMs: number;
  /** How long an update that is answered as soon as it is recorded may take, in ms. */
  answerMs: number;
  /** How long Temporal may be away while somebody waits for an answer, in ms. */
  absenceMs: number;
}

const DEFAULT_LIMITS: Limits = { acceptMs: 15_000, answerMs: 60_000, absenceMs: 120_000 };
const RETRY_MS = 1_000;

/** Which workflow a message goes to, and how to start it where there is none. */
export interface Target {
  workflowId: string;
  start?: { type: WorkflowType; args: unknown[]; summary: string };
}

export interface CallOptions {
  /** Asked again with the same id, an update gives the same answer and starts nothing. */
  updateId?: string | undefined;
}

/** An update that was accepted, and whose answer may take hours. */
export interface Asked<T> {
  updateId: string;
  /**
   * Waits for the answer, through absences of Temporal and of workers. Throws a `ClientError`: `TimedOutError` after
   * `timeoutMs` (without one it waits for ever).
   */
  answer(timeoutMs?: number): Promise<T>;
}

/** Signals, queries and updates with deadlines, and errors of the closed set. */
export class Calls {
  readonly #limits: Limits;

  constructor(
    readonly client: Client,
    readonly taskQueue: string,
    limits: Partial<Limits> = {},
  ) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  signal(workflowId: string, name: string, payload: object): Promise<void> {
    return this.#bounded(workflowId, this.#limits.acceptMs, () => this.#handle(workflowId).signal(name, payload));
  }

  /**
   * Answers the status: of an open run by its query, of an ended one from its result, so that no worker is needed. A run
   * that was cut off has none that is true any more: then how it was cut off, and its last status.
   */
  async status<T>(workflowId: string): Promise<{ status: T; cutOff: CutOff | null }> {
    const { answer, cutOff } = await this.query<T>(workflowId, 'status');
    return { status: answer, cutOff };
  }

  /** What an open run answers; of an ended one its result; of one that was cut off its last word, and how it was. */
  async query<T>(workflowId: string, name: string, payload?: object): Promise<{ answer: T; cutOff: CutOff | null }> {
    const handle = this.#handle(workflowId);
    const run = await this.#bounded(workflowId, this.#limits.acceptMs, () => handle.describe());
    const cutOff = cutOffBy(run.status.name);
    const asked = cutOff === null ? handle : this.client.workflow.getHandle(workflowId, run.runId);
    const args = [...(payload === undefined ? [] : [payload]), ...closedRunArgs(run)];
    const ask = run.status.name === 'COMPLETED' ? () => handle.result() : () => asked.query(name, ...args);
    const answer = (await this.#bounded(workflowId, this.#limits.acceptMs, ask)) as T;
    return { answer, cutOff };
  }

  /** Starts a workflow, unless one is open under its id; answers whether it did. */
  async start(workflowId: string, { type, args, summary }: NonNullable<Target['start']>): Promise<boolean> {
    const { taskQueue } = this;
    try {
      await this.#bounded(workflowId, this.#limits.acceptMs, () =>
        this.client.workflow.start(type, {
          workflowId,
          taskQueue,
          args,
          staticSummary: summary,
          workflowIdConflictPolicy: 'FAIL',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** The result of a run, however long it takes. */
  async outcome<T>(workflowId: string, timeoutMs?: number): Promise<T> {
    return await this.#waited(() => this.#handle(workflowId).result() as Promise<T>, workflowId, timeoutMs);
  }

  /** The result of a run that is about to end. */
  result<T>(workflowId: string): Promise<T> {
    const read = () => this.#handle(workflowId).result() as Promise<T>;
    return this.#bounded(workflowId, this.#limits.answerMs, read);
  }

  /** Sends an update, and answers as soon as it is accepted. A rejection shows in its answer. */
  async ask<T>(target: Target, name: string, payload: object, options: CallOptions = {}): Promise<Asked<T>> {
    const { workflowId } = target;
    const handle = await this.#bounded(workflowId, this.#limits.acceptMs, () =>
      this.#startUpdate<T>(target, name, payload, options),
    );
    return { updateId: handle.updateId, answer: (timeoutMs) => this.#answer(handle, timeoutMs) };
  }

  /** Sends an update that is answered as soon as it is recorded. */
  async request<T>(target: Target, name: string, payload: object, options?: CallOptions): Promise<T> {
    const asked = await this.ask<T>(target, name, payload, options);
    try {
      return await asked.answer(this.#limits.answerMs);
    } catch (error) {
      if (!(error instanceof TimedOutError)) throw error;
      throw new UnreachableError('worker', `${name} was accepted, but no worker has answered it yet`, { cause: error });
    }
  }

  #startUpdate<T>(
    { workflowId, start }: Target,
    name: string,
    payload: object,
    { updateId }: CallOptions,
  ): Promise<WorkflowUpdateHandle<T>> {
    const options = {
      args: [payload] as [object],
      waitForStage: 'ACCEPTED' as const,
      ...(updateId === undefined ? {} : { updateId }),
    };
    if (!start) return this.#handle(workflowId).startUpdate<T, [object]>(name, options);
    const startWorkflowOperation = new WithStartWorkflowOperation(start.type, {
      workflowId,
      taskQueue: this.taskQueue,
      args: start.args,
      staticSummary: start.summary,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    return this.client.workflow.startUpdateWithStart<Workflow, T, [object]>(name, {
      ...options,
      startWorkflowOperation,
    });
  }

  #answer<T>(handle: WorkflowUpdateHandle<T>, timeoutMs?: number): Promise<T> {
    return this.#waited(() => handle.result(), handle.workflowId, timeoutMs);
  }

  async #waited<T>(wait: () => Promise<T>, workflowId: string, timeoutMs = Number.POSITIVE_INFINITY): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    let lastHeardAt = Date.now();
    for (;;) {
      try {
        if (timeoutMs === Number.POSITIVE_INFINITY) return await wait();
        return await this.client.withDeadline(deadline, wait);
      } catch (error) {
        if (Date.now() >= deadline) throw new TimedOutError(timeoutMs, `No answer within ${timeoutMs / 1000} s`);
        // A poll that ran into a deadline was heard; only silence counts.
        if (isDeadline(error)) lastHeardAt = Date.now();
        const isLost = Date.now() - lastHeardAt > this.#limits.absenceMs;
        if (!isPassing(error) || isLost) throw toClientError(error, workflowId);
        await sleep(RETRY_MS);
      }
    }
  }

  #handle(workflowId: string): WorkflowHandle {
    return this.client.workflow.getHandle(workflowId);
  }

  async #bounded<T>(workflowId: string, limitMs: number, call: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      try {
        return await this.client.withDeadline(deadline, call);
      } catch (error) {
        if (!isCollision(error) || Date.now() + RETRY_MS > deadline) throw toClientError(error, workflowId);
        await sleep(RETRY_MS);
      }
    }
  }
}
