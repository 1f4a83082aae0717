import type { HealthWatch, JobFacts, Verification } from '../../src/contract/activities.js';
import type { CellVerdict, HealthPolicy } from '../../src/contract/health.js';
import type { CellResult, CellRolloutInput } from '../../src/contract/internal.js';
import { type Target, timesOf } from '../../src/domain/cell.js';
import type { Errands } from './errands.js';

/** What the health of a verified cell asks for: that it counts, that it goes back, or that it stays and has failed. */
export type Ruling = { does: 'converge' } | { does: 'go-back' | 'stay'; why: string };

/** What speaks against ordering anything for a cell; `isUnknown`: too little is known of it, and that is for a person. */
export interface Objection {
  why: string;
  isUnknown: boolean;
}

/**
 * How health decides on one cell, before and after its deployment. While too little is known of the cell the ring is
 * held, where the policy says so: nothing that is not known counts as healthy.
 */
export class CellHealth {
  /** How the cell was judged before its deployment, where that was not healthy. */
  before: CellVerdict | null;
  /** How it was judged after it. */
  private after: CellVerdict | null = null;
  private times: CellResult['deployed'];
  private smokeTests: HealthWatch['smokeTests'] = null;

  constructor(
    private readonly input: CellRolloutInput,
    private readonly errands: Errands,
    /** Runs AMP's smoke tests on the cell; null: they could not be run. */
    private readonly smokeTest: () => Promise<'passed' | 'failed' | null>,
  ) {
    this.before = input.before;
  }

  /** In shadow the ring's watch judges the cell, beside what is done with it: nobody waits for that. */
  private get judgedBy(): HealthPolicy | null {
    return this.isObeyed ? this.input.health : null;
  }

  private get isObeyed(): boolean {
    return this.input.health?.mode === 'enforce';
  }

  /** Why nothing is to be ordered for the cell as it is; null: nothing speaks against it. */
  async speaksAgainst(): Promise<Objection | null> {
    const { policy } = this.input;
    const health = this.judgedBy;
    if (!health) return null;
    // What was said of it before an earlier try is no word on it now.
    this.before = null;
    const mayHold = !policy.deployToUnhealthy && !this.input.soft;
    // What is only told waits for nobody, and is judged as it will be after.
    const judge = (waitMs: number) => this.errands.judge(health, { waitMs, onlyTold: !mayHold });
    const verdict = await this.untilKnown(mayHold, judge, itself);
    const isWaived = this.errands.waived;
    // What a person said of the cell before its deployment is not said of it after.
    this.errands.waived = false;
    if (verdict === null || verdict.verdict === 'healthy') return null;
    this.before = verdict;
    if (!mayHold || (verdict.verdict === 'inconclusive' && isWaived)) return null;
    const isInDoubt = verdict.verdict === 'inconclusive';
    const known = isInDoubt ? 'not known to be healthy' : 'unhealthy';
    const why = `${known} before its deployment: ${verdict.sentence}`;
    return { why, isUnknown: isInDoubt && health.onInconclusive !== 'rollback' };
  }

  /** Verifies the cell, and watches its health after the job that changed it; null: that was dropped half way. */
  async verify(target: Target, migrated: boolean, job: JobFacts): Promise<Verification | null> {
    const { policy, purpose } = this.input;
    const health = this.judgedBy;
    const mustSmoke = policy.smokeTests && purpose === 'deploy';
    if (mustSmoke) {
      const ready = await this.errands.verifyUnlessDropped(target, migrated, null);
      if (!ready?.verified) return ready;
    }
    if (mustSmoke) this.smokeTests = await this.smokeTest();
    const look = async (waitMs: number): Promise<Verification | null> => {
      const seen = await this.errands.verifyUnlessDropped(target, migrated, this.watch(job, waitMs));
      if (this.smokeTests !== null || !asksForSmokeTests(seen, health?.quiet?.then)) return seen;
      this.smokeTests = await this.smokeTest();
      return await this.errands.verifyUnlessDropped(target, migrated, this.watch(job, waitMs));
    };
    if (mustSmoke && this.smokeTests !== 'passed') {
      const problem = this.smokeTests === 'failed' ? 'its smoke tests failed' : 'its smoke tests could not be run';
      const seen = await this.errands.verifyUnlessDropped(target, migrated, null);
      return seen && { ...seen, verified: false, problem };
    }
    const seen = await this.untilKnown(this.isObeyed, look, (verification) => verification.health);
    this.after = seen?.health ?? null;
    // Whoever waits for no health still wants to know what runs.
    const isWaived = seen === null && this.errands.waived;
    return isWaived ? await this.errands.verifyUnlessDropped(target, migrated, null) : seen;
  }

  /** The job that brought what the cell runs now. */
  note(job: JobFacts): void {
    this.times = timesOf(job, Date.now());
  }

  /** What is to become of a verified cell. */
  ruling(): Ruling {
    const { health } = this.input;
    const { after } = this;
    if (!health || !after || !this.isObeyed || after.verdict === 'healthy') return { does: 'converge' };
    if (after.verdict === 'unhealthy') return { does: 'go-back', why: `unhealthy after its job: ${after.sentence}` };
    if (this.errands.waived) return { does: 'converge' };
    const why = `not known to be healthy after its job: ${after.sentence}`;
    return { does: health.onInconclusive === 'rollback' ? 'go-back' : 'stay', why };
  }

  /** What is kept of it beside the result. */
  record(): Pick<CellResult, 'deployed' | 'before' | 'health' | 'smokeTests'> {
    const { before, after, times, smokeTests } = this;
    const smoked = smokeTests ? { smokeTests } : {};
    if (!this.input.health) return smoked;
    return {
      ...smoked,
      ...(times ? { deployed: times } : {}),
      ...(before ? { before } : {}),
      ...(after ? { health: after.verdict === 'healthy' ? { ...after, evidence: [] } : after } : {}),
    };
  }

  /** Asks once; where too little is known, holds the ring and asks on, until more is, or the time for it is over. */
  private async untilKnown<T>(
    mayHold: boolean,
    ask: (waitMs: number) => Promise<T | null>,
    verdictOf: (answer: T) => CellVerdict | null,
  ): Promise<T | null> {
    const first = await ask(0);
    const { health } = this.input;
    const verdict = first && verdictOf(first);
    if (!health || !mayHold || verdict?.verdict !== 'inconclusive' || health.onInconclusive !== 'hold') return first;
    await this.errands.hold(verdict.sentence);
    const later = await ask(health.inconclusiveTimeoutMs);
    await this.errands.hold(null);
    return later ?? (this.errands.waived ? first : null);
  }

  private watch(job: JobFacts, waitMs: number): HealthWatch | null {
    const policy = this.judgedBy;
    if (!policy) return null;
    const { begunAtMs, endedAtMs } = timesOf(job, Date.now());
    const { before, smokeTests } = this;
    const windowEndsMs = endedAtMs + policy.windowMs;
    const untilMs = waitMs === 0 ? windowEndsMs : Date.now() + waitMs;
    return { policy, begunAtMs, deployedAtMs: endedAtMs, untilMs, smokeTests, before };
  }
}

const itself = (verdict: CellVerdict): CellVerdict => verdict;

/** A cell without traffic is decided by its smoke tests: they are run where they were not. */
const asksForSmokeTests = (seen: Verification | null, then: 'smoke-tests' | 'hold' | undefined): boolean =>
  then === 'smoke-tests' && seen?.health?.quiet === true && seen.health.verdict === 'inconclusive';
