import { type AmpTenant, isFinishedJobState } from '../contract/amp.js';
import { DueQueue } from './due-queue.js';
import { executeStep, installVersion } from './execute-step.js';
import { FaultBox, type HeldFault } from './faults/fault-box.js';
import { type JobTrouble, troubleOf } from './faults/job-trouble.js';
import { FaultLedger } from './faults/ledger.js';
import type { Fault } from './faults/schema.js';
import { JobIndex } from './job-index.js';
import type { Journal, SavedState } from './journal.js';
import { type CellRecord, instantOf, type JobRecord, type StepRecord } from './model.js';
import { type NewJob, newJobRecord } from './new-job.js';
import { planJob } from './plan.js';
import { planCancel } from './plan-cancel.js';
import { jobDurationMs, randomStream } from './random.js';
import { isReady } from './readiness.js';
import type { Settings } from './settings.js';
import { tenantOf } from './tenant-view.js';

interface DueStep {
  atMs: number;
  order: number;
  index: number;
  record: JobRecord;
}

/** Cells, tenants, jobs and faults. Time passes only in `advance`, which every reader calls first. */
export class World {
  readonly cells = new Map<string, CellRecord>();
  readonly tenants = new Map<string, CellRecord>();
  readonly jobs = new JobIndex();
  readonly faults: FaultBox;
  readonly ledger: FaultLedger;
  #due = new DueQueue<DueStep>();

  constructor(
    readonly settings: Settings,
    private readonly journal: Journal,
    saved: SavedState,
  ) {
    this.faults = new FaultBox(randomStream(settings.seed + saved.jobs.size), {
      added: (held) => journal.write({ is: 'fault', held }),
      removed: (id) => {
        journal.write({ is: 'fault-removed', id });
        this.ledger.close(id, Date.now());
      },
      counted: ({ id, seen, hits }) => journal.write({ is: 'fault-counted', id, seen, hits }),
    });
    this.ledger = new FaultLedger([...saved.faultSpans.values()], (span) => journal.write({ is: 'fault-span', span }));
    this.faults.retire(saved.faultsRemoved);
    for (const cell of saved.cells.values()) this.#addCell(cell);
    for (const record of saved.jobs.values()) {
      this.jobs.insert(record);
      this.#expect(record);
    }
  }

  #addCell(cell: CellRecord): void {
    this.cells.set(cell.id, cell);
    if (cell.tenant !== null && !this.tenants.has(cell.tenant)) this.tenants.set(cell.tenant, cell);
  }

  /** Lets everything happen that is due by now, in its order. */
  advance(nowMs: number = Date.now()): void {
    for (let due = this.#due.takeDue(nowMs); due !== undefined; due = this.#due.takeDue(nowMs)) {
      const { record, index } = due;
      // A cancel plans anew and leaves what was planned before in the queue.
      const step = record.steps[index];
      if (index !== record.stepsDone || step === undefined || step.atMs !== due.atMs) continue;
      if (!isFinishedJobState(record.job.state)) this.#execute(record, step);
    }
  }

  #execute(record: JobRecord, step: StepRecord): void {
    const cell = this.cells.get(record.cell) as CellRecord;
    const instead = executeStep(record, cell, step, () => isReady(this.faults, cell, step.atMs));
    record.stepsDone += 1;
    if (instead) record.steps = [...record.steps.slice(0, record.stepsDone), instead];
    if (!isFinishedJobState(record.job.state)) {
      this.#expect(record);
      return;
    }
    this.jobs.release(record);
    record.tenantAfter = this.tenant(cell);
    this.#save(record, cell);
    this.#occupy(cell, step.atMs);
  }

  #expect(record: JobRecord): void {
    const step = record.steps[record.stepsDone];
    if (step) this.#due.push({ atMs: step.atMs, order: record.order, index: record.stepsDone, record });
  }

  #save(job: JobRecord, cell: CellRecord): void {
    this.journal.write({ is: 'job', job, cell });
  }

  tenant(cell: CellRecord): AmpTenant {
    return tenantOf(cell, this.jobs.activeOn(cell.id)?.job ?? null);
  }

  /** Takes a job; it is in the state file when this returns. */
  accept(request: NewJob, cell: CellRecord, nowMs: number): JobRecord {
    const trouble = troubleOf(this.faults, request, {
      cell: cell.id,
      tenant: cell.tenant,
      version: request.version,
      jobKind: request.kind,
    });
    const { durationMs, spread, seed } = this.settings;
    const takesMs = trouble.factor * jobDurationMs(durationMs, spread, seed, request.key);
    const steps = planJob(request, nowMs, takesMs, trouble.trouble);
    const record = this.#enter(request, cell, nowMs, steps, trouble);
    this.advance(nowMs);
    return record;
  }

  #enter(
    request: NewJob,
    cell: CellRecord,
    nowMs: number,
    steps: StepRecord[],
    trouble: Pick<JobTrouble, 'ignoreCancel' | 'faults'>,
  ): JobRecord {
    const record = newJobRecord(request, cell, { order: this.jobs.nextOrder, nowMs, steps, ...trouble });
    this.jobs.insert(record);
    this.#save(record, cell);
    this.#expect(record);
    return record;
  }

  submittedAgain(record: JobRecord): void {
    record.submissions += 1;
    this.journal.write({ is: 'submitted-again', id: record.job.id });
  }

  /** Cancels a queued job at once and a running one soon; a finished job, or one asked before, stays as it is. */
  cancel(record: JobRecord, nowMs: number): void {
    if (isFinishedJobState(record.job.state) || record.cancelRequestedAt !== null) return;
    record.cancelRequestedAt = instantOf(nowMs);
    if (!record.ignoreCancel) {
      record.steps = planCancel(record, nowMs, this.settings.durationMs);
      this.#expect(record);
    }
    this.#save(record, this.cells.get(record.cell) as CellRecord);
    this.advance(nowMs);
  }

  /** Adds a fault, and lets it strike where it strikes at once. */
  addFault(fault: Fault, nowMs: number): HeldFault {
    const held = this.faults.add(fault);
    this.ledger.open(held.id, fault, nowMs);
    this.strikeAtOnce(held, nowMs);
    return held;
  }

  /** Puts a fault in force that nobody needs to remember: it is in the state, or in a file. */
  hold(held: HeldFault, nowMs: number): void {
    this.faults.hold(held);
    this.ledger.open(held.id, held.fault, nowMs);
  }

  /** Changes by hand and foreign jobs do not wait for a request. */
  strikeAtOnce({ fault }: HeldFault, nowMs: number): void {
    const cell = this.#cellOf(fault);
    if (cell === undefined) return;
    if (fault.kind === 'changed-by-hand') this.#changeByHand(cell, nowMs);
    if (fault.kind === 'tenant-busy') this.#occupy(cell, nowMs);
  }

  #cellOf(fault: Fault): CellRecord | undefined {
    if (fault.cell !== undefined) return this.cells.get(fault.cell);
    return fault.tenant === undefined ? undefined : this.tenants.get(fault.tenant);
  }

  #changeByHand(cell: CellRecord, nowMs: number): void {
    const struck = this.faults.strike('changed-by-hand', { cell: cell.id, tenant: cell.tenant });
    if (struck === undefined) return;
    const { version, chartVersion, migratedVersion } = struck.fault;
    installVersion(cell, version, chartVersion ?? cell.chartVersion, nowMs);
    if (migratedVersion !== undefined) cell.migratedVersion = migratedVersion;
    const active = this.jobs.activeOn(cell.id);
    if (active) this.#save(active, cell);
    else this.journal.write({ is: 'cell', cell });
  }

  /** Lets somebody else's job take an idle tenant, where a fault says so. */
  #occupy(cell: CellRecord, nowMs: number): void {
    if (cell.tenant === null || this.jobs.activeOn(cell.id)) return;
    const struck = this.faults.strike('tenant-busy', { cell: cell.id, tenant: cell.tenant });
    if (struck === undefined) return;
    const foreign: NewJob = {
      key: `foreign/${struck.id}/${struck.hits}`,
      kind: 'configure',
      version: cell.version ?? this.settings.initialVersion ?? 'unknown',
      chartVersion: cell.chartVersion,
      expectedVersion: null,
      scope: 'application',
      postDeployMigrations: 'skip',
      reason: 'somebody else is working on this tenant',
      body: '',
    };
    const steps: StepRecord[] = [
      { atMs: nowMs, does: 'start' },
      { atMs: nowMs + struck.fault.forMs, does: 'end', outcome: 'succeeded' },
    ];
    this.#enter(foreign, cell, nowMs, steps, { ignoreCancel: true, faults: [struck.id] });
  }
}
