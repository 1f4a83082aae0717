import {
  ActivityFailure,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  sleep,
  TimeoutFailure,
} from '@temporalio/workflow';
import type {
  CellLook,
  HealthWatch,
  JobOrder,
  JobReport,
  TenantFacts,
  Verification,
  VerifyOrder,
} from '../../src/contract/activities.js';
import type { CellVerdict, HealthPolicy } from '../../src/contract/health.js';
import type { CellNote, CellRolloutInput } from '../../src/contract/internal.js';
import { cancellable, type Target } from '../../src/domain/cell.js';
import { judgeCell, lookAtCells, runJob, verifyCell } from '../shared/activities.js';
import { handleOurs } from '../shared/handle.js';
import { cellNoteSignal, cellOrdersSignal, standAsideSignal, waiveHealthSignal } from '../shared/signals.js';
import { type Trouble, troubleOf, troublePauseMs } from '../shared/trouble.js';

const LOOK_AGAIN_MS = 5_000;
const PASS_ANSWERS_MS = 2_000;

/**
 * What one cell's run asks of AMP and of the cell. AMP's own trouble is no cell's failure: it is told to the pass, and
 * waited out, however long it takes.
 *
 * Promises are counted here: for its stack traces the SDK notes where each one is made, a quarter of what a cell costs the
 * workflow thread. So what only passes a promise on does not await it.
 */
export class Errands {
  cancelAsked = false;
  /** How often AMP was asked in vain, one time after another, and what was told of it. */
  private troubles = 0;
  private noted = '';
  /** Nothing forward may be ordered any more: it is cancelled, its pass is gone, or another package's has the ring. */
  private standsAside = false;
  /** A person wants nobody to wait for this cell's health any longer. */
  waived = false;
  /** The ring is held because too little is known of this cell. */
  private isInDoubt = false;
  private isDropped = false;
  /** What may be dropped half way, at present. */
  private readonly idle = new Set<CancellationScope>();

  /** @param root the scope that a Temporal cancel reaches */
  constructor(
    private readonly input: CellRolloutInput,
    private readonly root: CancellationScope,
  ) {
    handleOurs(standAsideSignal, ({ version }) => {
      this.standsAside ||= version !== input.version;
    });
    handleOurs(waiveHealthSignal, () => {
      // A cell about which there is no doubt is watched to the end of its window.
      if (!this.isInDoubt && this.noted === '') return;
      this.waived = true;
      this.endIdle();
    });
  }

  /** Nothing forward is ordered after it, and nothing is waited for that only judges. */
  cancel(): void {
    this.cancelAsked = true;
    this.standsAside = true;
    if (cancellable(this.input.purpose, this.input.policy)) this.drop();
  }

  /** Ends every look and watch that may be dropped, and begins no other. */
  drop(): void {
    this.isDropped = true;
    this.endIdle();
  }

  private endIdle(): void {
    for (const scope of this.idle) scope.cancel();
  }

  /** Orders one job and waits for its end. */
  async order(order: JobOrder): Promise<JobReport> {
    const isForward = order.kind !== 'rollback';
    const isTest = order.kind === 'smoke_tests';
    const stoppable = (order.kind === 'configure' || isTest) && cancellable(this.input.purpose, this.input.policy);
    let cancelOnly = stoppable && this.cancelAsked;
    for (;;) {
      try {
        const asked = {
          ...order,
          ...(cancelOnly ? { cancelOnly } : {}),
          ...(isForward && this.standsAside ? { findOnly: true } : {}),
        };
        const report = await this.runJob(asked, stoppable && !cancelOnly);
        if (this.troubles > 0) await this.noTrouble();
        return report;
      } catch (error) {
        const overCancel = isOverCancel(error) || (this.cancelAsked && isTimeout(error));
        if (overCancel && stoppable && !cancelOnly) cancelOnly = true;
        else await this.waitOut(error);
        cancelOnly ||= stoppable && this.cancelAsked;
      }
    }
  }

  /** The cell's health as it is, as soon as it is known, `waitMs` from now at the latest; null: dropped half way. */
  judge(policy: HealthPolicy, how: { waitMs: number; onlyTold: boolean }): Promise<CellVerdict | null> {
    const { waitMs, onlyTold } = how;
    const once = onlyTold || waitMs === 0;
    const order = { cell: this.input.cell, policy, untilMs: Date.now() + waitMs, onlyTold, once };
    return this.droppable(() => this.patiently(() => judgeCell(order)));
  }

  /** The same as `verify`; null: dropped half way. */
  verifyUnlessDropped(target: Target, migrated: boolean, health: HealthWatch | null): Promise<Verification | null> {
    return this.droppable(() => this.verify(target, migrated, health));
  }

  /** Answers the pass, which has been braked and asks, that this cell has gone too far to stand down. */
  async tellThatItOrders(): Promise<void> {
    const pass = getExternalWorkflowHandle(this.input.passWorkflowId);
    await pass.signal(cellOrdersSignal, { cell: this.input.cell.id }).catch(() => undefined);
  }

  /** Tells the pass why this cell holds its ring, or that it does no more (null). */
  async hold(detail: string | null): Promise<void> {
    this.isInDoubt = detail !== null;
    const isHeard = await this.note(detail === null ? null : { kind: 'health', detail, jobId: null });
    // A brake that came meanwhile was answered without this run: nobody knew of it any more.
    this.standsAside ||= !isHeard;
  }

  /** Looks at the cell until it runs `target`, is ready and says so itself, or its time is over; then at its health. */
  verify(target: Target, migrated: boolean, health: HealthWatch | null = null): Promise<Verification> {
    const { cluster, ring, cell, witness, policy } = this.input;
    const order: VerifyOrder = {
      cluster,
      ring,
      cell,
      witness,
      ...target,
      migrated,
      sinceMs: Date.now(),
      timeoutMs: policy.verifyTimeoutMs,
      intervalMs: policy.verifyIntervalMs,
      health,
    };
    return this.patiently(() => verifyCell(order));
  }

  /** What AMP says of the cell's tenant; null where it is not known as this cell's. */
  async look(): Promise<TenantFacts | null> {
    return factsOf(await this.lookAtTenant());
  }

  /** The same, once no job is under way, whoever ordered it: its end decides what the cell runs. And the job that does not end. */
  async lookWhenIdle(): Promise<{ facts: TenantFacts | null; stuck: CellLook['activeJob'] }> {
    const endMs = Date.now() + this.input.policy.deployTimeoutMs + this.input.policy.cancelTimeoutMs;
    for (;;) {
      const look = await this.lookAtTenant();
      const stuck = look?.activeJob ?? null;
      if (stuck === null || Date.now() > endMs) return { facts: factsOf(look), stuck };
      await sleep(LOOK_AGAIN_MS);
    }
  }

  private async lookAtTenant(): Promise<CellLook | undefined> {
    const { cluster, ring, cell, version, chartVersion } = this.input;
    const order = { cluster, ring, cells: [cell], version, chartVersion, askReadiness: false, askOnlyAmp: true };
    const [look] = await this.patiently(() => lookAtCells(order));
    return look;
  }

  /** A cancel reaches the job only where a half-done job is one that can be gone back from. */
  private runJob(order: JobOrder, stoppable: boolean): Promise<JobReport> {
    return stoppable ? this.root.run(() => runJob(order)) : runJob(order);
  }

  private async droppable<T>(ask: () => Promise<T>): Promise<T | null> {
    if (this.isDropped) return null;
    const scope = new CancellationScope({ cancellable: true });
    this.idle.add(scope);
    try {
      return await scope.run(ask);
    } catch (error) {
      if (isOverCancel(error)) return null;
      throw error;
    } finally {
      this.idle.delete(scope);
    }
  }

  private async patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const answer = await ask();
        if (this.troubles > 0) await this.noTrouble();
        return answer;
      } catch (error) {
        await this.waitOut(error);
      }
    }
  }

  /**
   * The pass is told when trouble begins, when it is another, and when it is over. Before an order is tried again it is
   * told once more: where nobody is there any more to hear it, nobody would answer for the order either; and where that
   * is another package's pass, it says so.
   */
  private async waitOut(error: unknown): Promise<void> {
    const trouble = troubleOf(error);
    if (!trouble) throw error;
    this.troubles += 1;
    if (trouble.detail !== this.noted) await this.note(trouble);
    this.noted = trouble.detail;
    await sleep(troublePauseMs(this.troubles));
    if (trouble.jobId !== null) return;
    if (await this.note(trouble)) await condition(() => this.standsAside, PASS_ANSWERS_MS);
    else this.standsAside = true;
  }

  private async noTrouble(): Promise<void> {
    this.troubles = 0;
    this.noted = '';
    await this.note(null);
  }

  /** Answers whether a pass over the ring is there to hear it. */
  private async note(trouble: Trouble | null): Promise<boolean> {
    const told = trouble && { kind: trouble.kind, detail: trouble.detail };
    const { cell, version } = this.input;
    const note: CellNote = { cell: cell.id, version, trouble: told };
    try {
      await getExternalWorkflowHandle(this.input.passWorkflowId).signal(cellNoteSignal, note);
      return true;
    } catch {
      return false;
    }
  }
}

const factsOf = (look: CellLook | undefined): TenantFacts | null => (look?.tenant === 'known' ? look.facts : null);

/** Temporal never tries a cancelled activity again, not even where its worker died or stopped over it. */
const isOverCancel = (error: unknown): boolean =>
  isCancellation(error) || (error instanceof ActivityFailure && error.retryState === 'CANCEL_REQUESTED');

const isTimeout = (error: unknown): boolean =>
  error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
