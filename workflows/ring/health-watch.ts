import { CancellationScope, log } from '@temporalio/workflow';
import type { RingVerdict } from '../../src/contract/health.js';
import type { CellNote, RingHealthMessage } from '../../src/contract/internal.js';
import {
  boundDoubt,
  doubtOf,
  haltAsSystemic,
  hasWatched,
  noteOf,
  noteRingHealth,
} from '../../src/domain/ring/health.js';
import { flying } from '../../src/domain/ring/marks.js';
import { turnedBad } from '../../src/domain/ring/pass.js';
import { MAX_PARALLEL } from '../../src/domain/topology/defaults.js';
import { watchRing } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import { untilAnswered } from '../shared/trouble.js';
import type { PassContext } from './context.js';
import type { Flights } from './flights.js';

const WHO = 'the ring';
const WATCH = 'the watch of the ring';

/**
 * Watches the health of the ring from its first converged cell on, for as long as cells are on the package: also while the
 * ring is halted. Cells at fault go back; where the package is, the ring stops at once; and while too little is known,
 * nothing more starts.
 */
export class HealthWatch {
  private scope: CancellationScope | null = null;
  private readonly alarm: Alarm;

  constructor(
    private readonly ctx: PassContext,
    private readonly flights: Flights,
  ) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** Begins, goes on or ends as the pass wants it. */
  keep(): void {
    this.bound();
    if (!hasWatched(this.ctx.state)) return this.end();
    this.hold();
    // What is to go back beyond these the next look finds again.
    if (this.scope || flying(this.ctx.state) >= MAX_PARALLEL) return;
    const scope = new CancellationScope({ cancellable: true });
    this.scope = scope;
    void scope.run(() => this.watch(scope));
  }

  /** How the ring stands, where nothing has to be done but perhaps to wait. */
  note({ requestId: _, looks, cells, ...note }: RingHealthMessage): void {
    const { state } = this.ctx;
    noteRingHealth(state, note, { ...(looks ? { looks } : {}), ...(cells ? { cells } : {}) });
    this.ctx.setTrouble(WATCH, null);
    this.hold();
  }

  /**
   * A ring of which too little is known is held, unless a person said that this is no reason to wait; for so long, and then
   * it is halted. One that is halted waits for a person anyway, and what that person has mended there is not held up.
   */
  hold(): void {
    const { state } = this.ctx;
    const doubt = doubtOf(state);
    const kind = doubt?.unmeasured ? 'prometheus' : 'health';
    this.ctx.setTrouble(WHO, doubt && { kind, detail: doubt.sentence });
    if (state.halt || state.overridden.includes('health')) this.ctx.setTrouble(WATCH, null);
  }

  /** Nobody can be asked how the ring is. */
  get isBlind(): boolean {
    return this.ctx.hasTrouble(WATCH);
  }

  /** Nobody waits for ever for what is not measured: from then on the ring is a person's. */
  private bound(): void {
    const { state, entered } = this.ctx;
    if (!entered.health) return;
    const hadHalted = state.halt !== null;
    this.alarm.set(boundDoubt(state, entered.health.inconclusiveTimeoutMs, Date.now()));
    if (!hadHalted && state.halt) this.ctx.wake();
  }

  private end(): void {
    this.scope?.cancel();
    this.scope = null;
    this.ctx.setTrouble(WHO, null);
    this.ctx.setTrouble(WATCH, null);
  }

  private async watch(scope: CancellationScope): Promise<void> {
    const { requestId, ring, version } = this.ctx.input;
    const { health: policy, cellsGz } = this.ctx.entered;
    if (!policy) return;
    const order = { requestId, ring, version, policy, cellsGz };
    const ask = () => watchRing({ ...order, looks: this.ctx.state.health?.looks ?? null });
    const verdict = await untilAnswered(ask, ({ kind, detail }) => this.tell(scope, { kind, detail }));
    if (this.scope === scope) {
      this.ctx.setTrouble(WATCH, null);
      this.scope = null;
      if (verdict) this.obey(verdict);
    }
    this.ctx.wake();
  }

  /** Who cannot be asked holds the ring, where health is to be obeyed. */
  private tell(scope: CancellationScope, trouble: CellNote['trouble']): void {
    if (this.scope !== scope || this.ctx.state.healthMode !== 'enforce') return;
    this.ctx.setTrouble(WATCH, trouble);
    this.hold();
    this.ctx.wake();
  }

  private obey(verdict: RingVerdict): void {
    const { state } = this.ctx;
    if (!state.health || !hasWatched(state)) return;
    log.warn('the ring is unhealthy', { scope: verdict.scope, sentence: verdict.sentence });
    noteRingHealth(state, noteOf(verdict), { looks: verdict.looks });
    const reason = `the package is unhealthy: ${verdict.sentence}`;
    const stops = verdict.scope === 'systemic' && haltAsSystemic(state, reason, Date.now());
    for (const { cell, verdict: word, sentence, evidence } of verdict.cells) {
      if (word === 'unhealthy' && flying(state) < MAX_PARALLEL) this.sendBack(cell, sentence, evidence);
    }
    if (stops && this.ctx.entered.policy.autoRollback === 'ring') void this.flights.cancelForward();
  }

  private sendBack(cell: string, reason: string, evidence: RingVerdict['evidence']): void {
    const { state, roster, rules } = this.ctx;
    const index = roster.indexOf(cell);
    if (index === undefined || !state.health) return;
    const mark = state.marks[index];
    if (mark !== 'C' && mark !== 'D' && mark !== 'M') return;
    state.health.bad[index] = { reason: `unhealthy after its deployment: ${reason}`, evidence: evidence.slice(0, 3) };
    if (turnedBad(state, index, { cell, reason }, rules)) this.flights.start(index);
  }
}
