import { CancellationScope } from '@temporalio/workflow';
import type { OutsideWord } from '../../src/contract/internal.js';
import { askOutside, noteOutside, speaksAgainst } from '../../src/domain/ring/checks.js';
import { awaitHealthyRings, watchChecks } from '../shared/activities.js';
import { untilAnswered } from '../shared/trouble.js';
import type { PassContext } from './context.js';

const GATE = 'the gate';
const CHECKS = 'the checks';

/** What must agree before a package goes forward in a ring: the rings before it and it itself, and outside checks. */
export class Gates {
  private gate: CancellationScope | null = null;
  private checks: CancellationScope | null = null;

  constructor(private readonly ctx: PassContext) {}

  /** Only what goes forward is asked for: nothing holds a rollback. */
  begin(): void {
    const { purpose } = this.ctx.input;
    if (purpose === 'rollback' || this.ctx.observesOnly) return;
    const { policy, gated } = this.ctx.entered;
    const isShut = gated && !this.ctx.state.gateOpen;
    if (isShut && purpose === 'deploy' && this.ctx.state.stage === 'deploy')
      this.gate = this.run(() => this.awaitHealth());
    if (policy.checks.length > 0) this.checks = this.run(() => this.watch());
  }

  /** Ends what nobody has to wait for any more. */
  keep(): void {
    const { state } = this.ctx;
    const isOver = state.stop !== null || state.stage === 'done' || state.stage === 'rollback';
    if (isOver) this.open();
    if (this.gate && state.overridden.includes('health')) {
      this.open();
      // That wait is over; how the cells are after it is another one.
      state.overridden = state.overridden.filter((wait) => wait !== 'health');
    }
    if (isOver) this.endChecks();
    else if (this.checks) this.showChecks();
  }

  /** The package waits for the rings before. */
  get isShut(): boolean {
    return this.gate !== null && !this.isToldOnly;
  }

  /** Why the rings before are waited for. */
  noteGate(detail: string): void {
    if (this.gate) this.holdFor(detail);
  }

  /** What the checks say. */
  noteChecks(word: OutsideWord): void {
    if (!this.checks) return;
    noteOutside(this.ctx.state, word);
    this.showChecks();
  }

  private showChecks(): void {
    const detail = speaksAgainst(this.ctx.state);
    this.ctx.setTrouble(CHECKS, detail === null ? null : { kind: 'check', detail });
  }

  private holdFor(detail: string): void {
    if (!this.isToldOnly) this.ctx.setTrouble(GATE, { kind: 'health', detail });
    this.ctx.wake();
  }

  /** A soft ring waits for nothing but machines: a cell that an earlier package broke takes the next one. */
  private get isToldOnly(): boolean {
    const { policy, soft } = this.ctx.entered;
    return policy.deployToUnhealthy || soft;
  }

  private open(): void {
    this.gate?.cancel();
    this.gate = null;
    this.ctx.state.gateOpen = true;
    this.ctx.setTrouble(GATE, null);
  }

  private endChecks(): void {
    this.checks?.cancel();
    this.checks = null;
    this.ctx.setTrouble(CHECKS, null);
  }

  private async awaitHealth(): Promise<void> {
    const { requestId, ring } = this.ctx.input;
    this.holdFor('the rings before it, and it itself, are looked at');
    const ask = () => awaitHealthyRings({ requestId, ring, once: this.isToldOnly });
    const problem = await untilAnswered(ask, ({ detail }) => this.holdFor(detail));
    // A fix is not kept from the cells that need it: how they were is only told.
    if (problem !== null && this.ctx.state.health) this.ctx.state.health.gate = problem;
    this.open();
  }

  private async watch(): Promise<void> {
    const { requestId, ring } = this.ctx.input;
    askOutside(this.ctx.state);
    this.showChecks();
    const ask = () => watchChecks({ requestId, ring, checks: this.ctx.entered.policy.checks });
    await untilAnswered(ask, ({ detail }) => this.noteChecks({ detail }));
  }

  private run(body: () => Promise<void>): CancellationScope {
    const scope = new CancellationScope({ cancellable: true });
    void scope.run(body).then(() => this.ctx.wake());
    return scope;
  }
}
