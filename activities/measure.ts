import type { HealthPolicy, Sample } from '../src/contract/health.js';
import { baselineStepMs, fillTemplate } from '../src/domain/health/index.js';
import { DEFAULT_PROMETHEUS_PATIENCE, ErrorBudget } from './error-budget.js';
import type { Patience } from './patience.js';
import { mapBounded } from './pool.js';
import { type PrometheusApi, PrometheusError, type PrometheusTrouble } from './ports.js';
import { type Finding, Questions, type Range } from './questions.js';

export interface MeasureDependencies {
  prometheus: PrometheusApi;
  /** How long Prometheus may be in trouble before a measuring ends as `unavailable`; what is left out is the default. */
  prometheusPatience?: Partial<Patience> | undefined;
}

/** After `fromMs`, up to and including `toMs`; epoch ms. */
export interface Window {
  fromMs: number;
  toMs: number;
}

export interface CellToMeasure {
  id: string;
  labels?: Readonly<Record<string, string>> | undefined;
  /** null: not wanted, e.g. because it has been measured already and does not change any more. */
  baseline: Window | null;
  after: Window | null;
}

export interface SignalProblem {
  signal: string;
  window: 'baseline' | 'after';
  /** One sentence. */
  problem: string;
}

/** Samples by signal; a signal that could not be measured, or has none, is there and empty. */
export interface MeasuredCell {
  cell: string;
  baseline: Record<string, Sample[]>;
  after: Record<string, Sample[]>;
  problems: SignalProblem[];
}

export type Measured =
  | {
      outcome: 'measured';
      /** In the order of the cells asked for. */
      cells: MeasuredCell[];
      /** Cells without one sample of any signal in `after`, where they should have some. */
      silent: string[];
    }
  /** Prometheus itself could not be asked: nothing is known of any cell, neither good nor bad. */
  | { outcome: 'unavailable'; kind: PrometheusTrouble['kind']; reason: string };

export type Measure = (
  order: { cells: readonly CellToMeasure[]; policy: HealthPolicy },
  signal: AbortSignal,
) => Promise<Measured>;

/** Cells whose queries travel in one request. */
const BATCH = 50;
/** Requests of one measuring under way at once. */
const AT_ONCE = 4;

/**
 * Measures all signals of a policy on any number of cells. A sample counts as `after` only where all that is behind it was
 * taken then: Prometheus answers with samples of the last five minutes under the time of now.
 */
export function createMeasure({ prometheus, prometheusPatience }: MeasureDependencies): Measure {
  const patience = { ...DEFAULT_PROMETHEUS_PATIENCE, ...prometheusPatience };
  return async ({ cells, policy }, signal) => {
    const measured = cells.map(({ id }): MeasuredCell => ({ cell: id, ...emptySamples(policy), problems: [] }));
    const questions = new Questions(prometheus, new ErrorBudget(patience));
    const tasks = tasksOf(cells, policy, measured);
    try {
      await mapBounded(tasks, AT_ONCE, signal, async (task, stop) => {
        const findings = await questions.ask(task.questions, task.range, stop);
        task.questions.forEach((question, index) => {
          note(measured[question.index], task, findings[index]);
        });
      });
    } catch (error) {
      if (!(error instanceof PrometheusError)) throw error;
      return { outcome: 'unavailable', kind: error.trouble.kind, reason: error.message };
    }
    return { outcome: 'measured', cells: measured, silent: silentOf(cells, measured) };
  };
}

interface Task {
  signal: string;
  window: 'baseline' | 'after';
  range: Range;
  questions: { index: number; query: string; window: Window }[];
}

function emptySamples({ signals }: HealthPolicy): Pick<MeasuredCell, 'baseline' | 'after'> {
  const empty = () => Object.fromEntries(Object.keys(signals).map((name): [string, Sample[]] => [name, []]));
  return { baseline: empty(), after: empty() };
}

/** One task a signal, window and batch. A query that cannot be filled in for a cell is noted as its problem. */
function tasksOf(cells: readonly CellToMeasure[], policy: HealthPolicy, measured: readonly MeasuredCell[]): Task[] {
  return Object.entries(policy.signals).flatMap(([signal, { query }]) =>
    (['baseline', 'after'] as const).flatMap((window) => {
      const questions = cells.flatMap((cell, index) => {
        const wanted = cell[window];
        const filled = wanted && filledIn(query, cell);
        if (!wanted || !filled) return [];
        if ('query' in filled) return [{ index, query: filled.query, window: wanted }];
        measured[index]?.problems.push({ signal, window, problem: filled.problem });
        return [];
      });
      return batchesOf(questions).map((batch): Task => {
        return { signal, window, range: rangeOf(batch, window, policy), questions: batch };
      });
    }),
  );
}

function filledIn(query: string, { id, labels }: CellToMeasure): { query: string } | { problem: string } {
  try {
    return { query: fillTemplate(query, { id, labels }) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { problem: error.message };
  }
}

/** Cells with windows that begin close to one another go together: a batch is asked over all its windows. */
function batchesOf(questions: Task['questions']): Task['questions'][] {
  const sorted = questions.toSorted((a, b) => a.window.fromMs - b.window.fromMs || a.index - b.index);
  const count = Math.ceil(sorted.length / BATCH);
  return Array.from({ length: count }, (_, at) => sorted.slice(at * BATCH, (at + 1) * BATCH));
}

function rangeOf(batch: Task['questions'], window: Task['window'], policy: HealthPolicy): Range {
  return {
    fromMs: Math.min(...batch.map((question) => question.window.fromMs)),
    toMs: Math.max(...batch.map((question) => question.window.toMs)),
    stepMs: window === 'after' ? policy.intervalMs : baselineStepMs(policy),
    // What is shown late in the past is past all the same.
    withTimes: window === 'after',
  };
}

function note(cell: MeasuredCell | undefined, { signal, window }: Task, finding: Finding | undefined): void {
  if (cell === undefined || finding === undefined) return;
  if ('problem' in finding) cell.problems.push({ signal, window, problem: finding.problem });
  else cell[window][signal] = finding.samples;
}

function silentOf(cells: readonly CellToMeasure[], measured: readonly MeasuredCell[]): string[] {
  const silent = measured.filter(({ after }, index) => {
    if (cells[index]?.after === null) return false;
    const signals = Object.values(after);
    return signals.length > 0 && signals.every((samples) => samples.length === 0);
  });
  return silent.map(({ cell }) => cell);
}
