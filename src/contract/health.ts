/**
 * How the health of cells is judged, what is judged, and what came of it. Plain JSON: it crosses activities, workflows
 * and the command line.
 */

/** One measurement: when, in epoch ms, and what. A tuple, because a day of them travels. */
export type Sample = [atMs: number, value: number];

export type HealthMode = 'enforce' | 'shadow';

/** One thing that is measured on a cell, and what is held against it. */
export interface Signal {
  /** A PromQL template: `{{cell}}` and `{{label.NAME}}` stand for the cell's id and labels. */
  query: string;
  /** The direction in which the signal gets worse. */
  worse: 'lower' | 'higher' | 'both';
  /** The objective: the share of good (worse: lower) or of bad (worse: higher) events. Asks for the burn rate. */
  slo?: number;
  /** Robust standard deviations from the cell's own past. Asks for the z-score and for the comparison over the ring. */
  zScore?: number;
  /** The signal must not stay below. */
  min?: number;
  /** The signal must not stay above. */
  max?: number;
  /** `shadow`: judged and kept, and left out of the verdict. Where the ring is in shadow, all its signals are. */
  mode?: HealthMode;
}

/** A cell without traffic: its ratios say nothing. */
export interface QuietRule {
  /** The signal that tells of traffic. */
  signal: string;
  /** The cell is quiet where the signal was below this for `forMs`. */
  below: number;
  forMs: number;
  /** What decides instead. */
  then: 'smoke-tests' | 'hold';
}

/** How the cells of one ring are judged; durations in ms. Without signals, readiness and package alone decide. */
export interface HealthPolicy {
  /** How long a cell is observed after its deployment before it counts as verified. */
  windowMs: number;
  /** How long it was observed before. */
  baselineMs: number;
  /** Time between two samples, and between two looks. */
  intervalMs: number;
  /** Fewer samples of a signal are inconclusive. */
  minSamples: number;
  onInconclusive: 'hold' | 'halt' | 'rollback';
  inconclusiveTimeoutMs: number;
  mode: HealthMode;
  quiet: QuietRule | null;
  signals: Record<string, Signal>;
}

export type Verdict = 'healthy' | 'unhealthy' | 'inconclusive';

export type HealthRule =
  | 'z-score'
  | 'burn-rate'
  | 'max'
  | 'min'
  | 'ring-wide'
  | 'quiet'
  | 'readiness'
  | 'smoke-tests'
  | 'data'
  | 'not-worse';

/** All that is known of one cell when it is judged. */
export interface CellObservation {
  cell: string;
  /** The package that should run. */
  expected: string;
  /** The package observed running; null: not known. */
  running: string | null;
  /** End of the deployment's job, epoch ms; null: there was none in this pass. */
  deployedAtMs: number | null;
  nowMs: number;
  /**
   * When the cell began to be measured, epoch ms, where that is known: what is missing of its past before then is no
   * gap. Where it is not known, a cell whose signals all begin at the same time is taken for a young one.
   */
  bornMs?: number | null;
  /**
   * Signals before the deployment began, in a step of at most five minutes. Without a deployment: what came before
   * `after`.
   */
  baseline: Record<string, Sample[]>;
  /**
   * Signals since the deployment ended (or, without one, over the last six times `windowMs`, an eighth of `baselineMs` at most), a sample each `intervalMs`, as a
   * range query answers.
   */
  after: Record<string, Sample[]>;
  readiness: 'ready' | 'not-ready' | 'silent' | 'unasked';
  /**
   * How many of the last five answers, this one included, were `not-ready`. Left out where nobody counts: then one such
   * answer is enough.
   */
  notReadyAnswers?: number;
  smokeTests: 'passed' | 'failed' | null;
  /** How the cell was judged before its deployment: one that was unhealthy then must not become worse. */
  before: CellVerdict | null;
}

/** One rule's finding on one signal, as an operator can check it. */
export interface Evidence {
  /** null: the finding is about the cell and not about a signal. */
  signal: string | null;
  rule: HealthRule;
  verdict: Verdict;
  /** null: the finding is about the ring. */
  cell: string | null;
  /** The package seen running. */
  package: string | null;
  /** The window that was looked at, epoch ms. */
  fromMs: number;
  toMs: number;
  samples: number;
  /** What was measured, in the signal's own unit; null: nothing that counts. */
  value: number | null;
  /** What it is compared with, in the signal's own unit. */
  baseline: number | null;
  /** Where the rule draws the line, in the signal's own unit. */
  threshold: number | null;
  /** One sentence in plain words. */
  sentence: string;
  /** Judged and kept, and left out of the verdict. */
  shadow?: true;
}

export interface CellVerdict {
  cell: string;
  verdict: Verdict;
  /** The cell has no traffic: its ratios were not asked. */
  quiet: boolean;
  /** The package seen running. */
  package: string | null;
  atMs: number;
  sentence: string;
  /** The worst first; at most one entry a signal and rule, and bounded: the whole stays under 4 KB. */
  evidence: Evidence[];
}

/** What repeated looks at a ring carry from one to the next, so that looking often does not multiply false alarms. */
export interface LooksState {
  /** Looks that have spent of the error allowed. */
  spent: number;
  /** When the last of them was, epoch ms. */
  lastMs: number;
}

export interface RingVerdict {
  verdict: Verdict;
  /** `local`: single cells, the pool is fine. `systemic`: the package. */
  scope: 'none' | 'local' | 'systemic';
  atMs: number;
  sentence: string;
  evidence: Evidence[];
  /** Cells that are not healthy, the worst first, at most 100. */
  cells: CellVerdict[];
  /** To be handed back at the next look. */
  looks: LooksState;
}
