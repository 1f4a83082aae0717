import type { CellResult } from '../../src/contract/internal-cell.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import type { Outbox } from '../../src/domain/ledger/entry.js';
import { type Entered, type Setback, takeSetbacks } from '../../src/domain/ledger/setbacks.js';
import { LedgerDesk } from '../shared/ledger-desk.js';
import type { PassContext } from './context.js';

/** Part of what a pass carries over. */
export interface CarriedSetbacks {
  entered: Entered;
  outbox?: Outbox;
}

/** Enters in the ledger what went wrong with the cells of one pass, and which went back. One that comes through costs nothing. */
export class Setbacks {
  private readonly desk: LedgerDesk;
  /** How long the last run of a cell took, ms. */
  private readonly tookMs = new Map<number, number>();

  constructor(private readonly ctx: PassContext) {
    const { mail, setbacks: state } = ctx;
    this.desk = new LedgerDesk({ state, mail, cluster: () => ctx.entry?.cluster ?? null, wake: () => ctx.wake() });
  }

  get areTold(): boolean {
    return this.desk.isEmpty;
  }

  /** The run of a cell is over. One that was to go back, and did, is no setback: it is entered as what was done. */
  noteEnd(index: number, { state, reason, jobId, to }: CellResult, sinceMs: number | undefined): void {
    if (sinceMs !== undefined) this.tookMs.set(index, Date.now() - sinceMs);
    if (this.ctx.input.purpose !== 'rollback' || state !== 'rolled-back') return;
    const outcome = to === null ? state : `back on ${to}`;
    const about = { ...this.about(index), outcome, reason, ...(jobId ? { jobId } : {}) };
    this.desk.note({ kind: 'decision', act: 'cellRolledBack', by: COORDINATOR, ...about });
  }

  keep(): void {
    const { wrong, mended } = takeSetbacks(this.ctx.state, this.ctx.setbacks.entered);
    for (const setback of wrong) this.enter(setback);
    for (const index of mended) {
      const about = { ...this.about(index), outcome: 'converged' };
      this.desk.note({ kind: 'decision', act: 'cellMended', by: COORDINATOR, ...about });
    }
    this.tookMs.clear();
  }

  private enter({ index, state, reason, jobId, evidence }: Setback): void {
    const sentences = evidence?.map(({ sentence }) => sentence);
    this.desk.note({
      kind: 'failure',
      act: 'cellFailed',
      by: COORDINATOR,
      ...this.about(index),
      outcome: state,
      reason,
      ...(jobId ? { jobId } : {}),
      ...(sentences?.length ? { evidence: sentences } : {}),
    });
  }

  private about(index: number) {
    const { input, roster, entry } = this.ctx;
    const { ring, version, purpose } = input;
    const tookMs = this.tookMs.get(index);
    const facts = { purpose, ...(entry?.perimeter ? { perimeter: true } : {}) };
    return { ring, version, cell: roster.idOf(index), facts, ...(tookMs === undefined ? {} : { tookMs }) };
  }
}
