import { FINE_STEPS } from './course.js';
import { BEGIN_STEP, CELLS, type Point, type Series, SIGNALS, type SignalName, type World } from './world.js';

/** A cell as a judge may see it at one look: what was measured up to then, and nothing of the label. */
export interface CellView {
  id: string;
  /** When its deployment ended, in epoch ms; null: it still runs the old package. */
  deployedAtMs: number | null;
  bornMs: number | null;
  /** Before its deployment began, in steps of five minutes over a day. */
  baseline: Record<string, Point[]>;
  /** Before its deployment began, in steps of 30 s, from an hour before the rollout on. */
  recent(name: string): readonly Point[];
  /** On the old package: since the rollout began. On the new one: since its deployment ended. */
  after(): Record<string, Point[]>;
}

export interface Look {
  nowMs: number;
  /** Cells that run the new package. */
  onNew: readonly CellView[];
  /** Cells that still run the old one, and are not being changed. */
  onOld: readonly CellView[];
}

export interface Opinion {
  /** The rollout must stop. */
  stop: boolean;
  /** Cells that may not count as good yet. */
  holds: ReadonlySet<string>;
  /** In words, for whoever looks into one rollout. */
  why?: string;
}

export interface Judge {
  name: string;
  /** A judge for one rollout, that may remember what it saw. */
  begin(): (look: Look) => Opinion;
}

export interface Outcome {
  stopped: boolean;
  /** Why, where it did: the judge said so, or it could not say that all is well for two hours. */
  by: 'judge' | 'timeout' | null;
  why: string;
  /** Cells to which a bad package was deployed, or was being deployed, at the end. */
  exposed: number;
  /** From the end of the deployment of the first cell that the fault hits; null where there was none. */
  minutesToStop: number | null;
  /** How long the rollout took. */
  minutes: number;
}

const AT_ONCE = 5;
const WINDOW_STEPS = 20;
const BAKE_STEPS = 120;
const TIMEOUT_STEPS = 240;

type Phase = { at: 'old' } | { at: 'deploying'; endStep: number } | { at: 'new'; endStep: number; passed: boolean };

/**
 * One rollout as the coordinator does it: the first cell, then a sliding window of four; each cell must be well when it
 * has been watched for ten minutes, and a look each 30 s at all of them; then the ring bakes for an hour. A judge that
 * finds fault stops the ring; one that cannot say that all is well holds it, for two hours at most.
 */
export function roll(world: World, judge: Judge): Outcome {
  return new Rollout(world, judge).run();
}

class Rollout {
  private readonly phases: Phase[] = Array.from({ length: CELLS }, () => ({ at: 'old' }));
  private readonly views: Lazy[];
  private readonly look: (look: Look) => Opinion;
  private heldSince: number | null = null;
  private bakeUntil: number | null = null;
  private why = '';

  constructor(
    private readonly world: World,
    judge: Judge,
  ) {
    this.views = world.cells.map((_cell, index) => new Lazy(world, index));
    this.look = judge.begin();
  }

  run(): Outcome {
    for (let step = BEGIN_STEP; step < FINE_STEPS; step++) {
      this.advance(step);
      const opinion = this.ask(step);
      this.why = opinion.why ?? '';
      if (opinion.stop) return this.outcome(step, 'judge');
      this.pass(step, opinion.holds);
      const isHeld = this.isHeld(step, opinion.holds);
      this.heldSince = isHeld ? (this.heldSince ?? step) : null;
      if (this.heldSince !== null && step - this.heldSince >= TIMEOUT_STEPS) return this.outcome(step, 'timeout');
      if (this.bakeUntil !== null && step >= this.bakeUntil && !isHeld) return this.outcome(step, null);
    }
    throw new Error('the rollout has no end');
  }

  /** Deployments end and begin. */
  private advance(step: number): void {
    this.phases.forEach((phase, index) => {
      if (phase.at !== 'deploying' || phase.endStep > step) return;
      this.phases[index] = { at: 'new', endStep: phase.endStep, passed: false };
    });
    const inFlight = this.phases.filter((p) => p.at === 'deploying' || (p.at === 'new' && !p.passed)).length;
    const first = this.phases[0];
    const room = first?.at === 'new' && first.passed ? AT_ONCE - inFlight : first?.at === 'old' ? 1 : 0;
    for (let i = 0; i < room; i++) {
      const next = this.phases.findIndex((p) => p.at === 'old');
      if (next < 0) return;
      const endStep = step + this.world.cell(next).deployed.steps;
      this.phases[next] = { at: 'deploying', endStep };
      this.view(next).deploy(step, endStep);
    }
  }

  private ask(step: number): Opinion {
    const of = (at: Phase['at']) => this.views.filter((_view, i) => this.phases[i]?.at === at);
    const onNew = of('new');
    if (onNew.length === 0) return { stop: false, holds: new Set() };
    const onOld = of('old');
    for (const view of [...onNew, ...onOld]) view.seeUpTo(step);
    return this.look({ nowMs: this.world.timeOf(step), onNew, onOld });
  }

  private pass(step: number, holds: ReadonlySet<string>): void {
    this.phases.forEach((phase, i) => {
      if (phase.at !== 'new' || phase.passed || step - phase.endStep < WINDOW_STEPS) return;
      phase.passed = !holds.has(this.view(i).id);
    });
    const all = this.phases.every((p) => p.at === 'new' && p.passed);
    if (all) this.bakeUntil ??= step + BAKE_STEPS;
  }

  /** Whether the rollout would go on now, were it not for what the judge cannot say. */
  private isHeld(step: number, holds: ReadonlySet<string>): boolean {
    if (this.bakeUntil !== null) return step >= this.bakeUntil && holds.size > 0;
    return this.phases.some((p) => p.at === 'new' && !p.passed && step - p.endStep >= WINDOW_STEPS);
  }

  private outcome(step: number, by: Outcome['by']): Outcome {
    const hit = this.phases.filter((phase, i) => phase.at !== 'old' && this.world.isHit(i));
    const ends = hit.flatMap((phase) => (phase.at === 'new' ? [phase.endStep] : []));
    const minutes = (step - BEGIN_STEP) / 2;
    const minutesToStop = by !== null && ends.length > 0 ? (step - Math.min(...ends)) / 2 : null;
    return { stopped: by !== null, by, why: this.why, exposed: hit.length, minutesToStop, minutes };
  }

  private view(index: number): Lazy {
    const view = this.views[index];
    if (!view) throw new RangeError(`no cell ${index}`);
    return view;
  }
}

/** A cell's view, cut where the look is; cutting is put off until somebody asks. */
class Lazy implements CellView {
  readonly id: string;
  readonly bornMs: number | null;
  deployedAtMs: number | null = null;
  baseline: Record<string, Point[]>;
  private begunMs = Number.POSITIVE_INFINITY;
  private series: Series;
  private nowMs = 0;
  private cut: { at: number; after: Record<string, Point[]> } | null = null;

  constructor(
    private readonly world: World,
    private readonly index: number,
  ) {
    const cell = world.cell(index);
    this.id = cell.id;
    this.bornMs = cell.bornMs;
    this.series = cell.undisturbed;
    this.baseline = this.dayUntil(world.timeOf(BEGIN_STEP));
  }

  deploy(beginStep: number, endStep: number): void {
    this.begunMs = this.world.timeOf(beginStep);
    this.baseline = this.dayUntil(this.begunMs);
    this.series = this.world.afterDeployment(this.index, endStep);
    this.deployedAtMs = this.world.timeOf(endStep);
  }

  seeUpTo(step: number): void {
    this.nowMs = this.world.timeOf(step);
  }

  recent(name: string): readonly Point[] {
    const { undisturbed } = this.world.cell(this.index);
    return undisturbed[name as SignalName].filter(([at]) => at <= Math.min(this.begunMs, this.nowMs));
  }

  after(): Record<string, Point[]> {
    if (this.cut?.at === this.nowMs) return this.cut.after;
    const fromMs = this.deployedAtMs ?? this.world.timeOf(BEGIN_STEP);
    const after = Object.fromEntries(SIGNALS.map((name) => [name, between(this.series[name], fromMs, this.nowMs)]));
    this.cut = { at: this.nowMs, after };
    return after;
  }

  /** What the monitoring has of the day before, in steps of five minutes. */
  private dayUntil(untilMs: number): Record<string, Point[]> {
    const { dayBefore, undisturbed } = this.world.cell(this.index);
    const fine = (name: SignalName) => undisturbed[name].filter(([at]) => at <= untilMs && at % 300_000 === 0);
    const dayMs = 86_400_000;
    return Object.fromEntries(
      SIGNALS.map((name) => [name, [...dayBefore[name], ...fine(name)].filter(([at]) => at > untilMs - dayMs)]),
    );
  }
}

/** Points after one instant, up to another: they are in order, and holes are short. */
function between(points: Point[], afterMs: number, untilMs: number): Point[] {
  return points.slice(firstAfter(points, afterMs), firstAfter(points, untilMs));
}

function firstAfter(points: readonly Point[], ms: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
