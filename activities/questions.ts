import type { Sample } from '../src/contract/health.js';
import { combine, type Part, takeApart } from './combined-query.js';
import { type ErrorBudget, isPrometheusTrouble } from './error-budget.js';
import { type PrometheusApi, PrometheusError, type QueryAnswer, type Series } from './ports.js';

/** One query about one cell, and the time that its samples must come from: after `fromMs`, up to `toMs`; epoch ms. */
export interface Question {
  query: string;
  window: { fromMs: number; toMs: number };
}

export interface Range {
  fromMs: number;
  toMs: number;
  stepMs: number;
  /** Whether it matters when exactly a sample was taken. To ask for that costs Prometheus more than the values do. */
  withTimes: boolean;
}

/** The samples of one query, oldest first, or why there are none that could be trusted. */
export type Finding = { samples: Sample[] } | { problem: string };

/**
 * A sample is shown until the next one, for so many steps of the evaluation: longer than any usual time between two
 * scrapes, shorter than the five minutes that Prometheus itself would show the last sample of a cell that is gone.
 */
const FRESH = { steps: 3, atLeastMs: 2 * 60_000, atMostMs: 5 * 60_000 };
/** A `Date` header counts whole seconds. */
const CLOCK_STEP_MS = 1_000;

/**
 * The questions of one measuring. Many go in one request; where Prometheus refuses that, halves of it do, and in the
 * end the query that it refuses stands alone, so that one cell's broken query does not blind the others.
 */
export class Questions {
  readonly #prometheus: PrometheusApi;
  readonly #budget: ErrorBudget;
  /** Something that answers a combination without its labels knows no PromQL: it is asked one plain query at a time. */
  #combines = true;
  #knowsTimes: Promise<boolean> | null = null;

  constructor(prometheus: PrometheusApi, budget: ErrorBudget) {
    this.#prometheus = prometheus;
    this.#budget = budget;
  }

  /** @throws PrometheusError where Prometheus itself is the trouble; the reason of `signal` */
  async ask(questions: readonly Question[], range: Range, signal: AbortSignal): Promise<Finding[]> {
    if (questions.length === 0) return [];
    const together = await this.#askTogether(questions, range, signal);
    if (together !== null) return together;
    if (range.withTimes && !(await this.#canTellTimes(range, signal))) {
      return this.ask(questions, { ...range, withTimes: false }, signal);
    }
    const [first] = questions;
    if (questions.length === 1 && first) return [await this.#askPlainly(first, range, signal)];
    const middle = Math.ceil(questions.length / 2);
    return [
      ...(await this.ask(questions.slice(0, middle), range, signal)),
      ...(await this.ask(questions.slice(middle), range, signal)),
    ];
  }

  /** Null where they cannot be answered together. */
  async #askTogether(questions: readonly Question[], range: Range, signal: AbortSignal): Promise<Finding[] | null> {
    if (!this.#combines) return null;
    const answer = await this.#range(
      combine(
        questions.map(({ query }) => query),
        range.withTimes,
      ),
      range,
      signal,
    );
    // What is answered in part may lack any of the cells.
    if ('refused' in answer || answer.warnings.length > 0) return null;
    const parts = takeApart(answer.series, questions.length);
    if (parts === null) {
      this.#combines = false;
      return null;
    }
    return questions.map((question, index) => findingOf(question, parts[index], range, answer.asOfMs));
  }

  /**
   * Whether it knows `timestamp` at all: every Prometheus does; something that answers a part of PromQL may not, and then
   * there is nothing to learn from it about when a sample was taken. Asked when something was refused, and once.
   */
  #canTellTimes({ toMs }: Range, signal: AbortSignal): Promise<boolean> {
    this.#knowsTimes ??= this.#orRefused(
      () => this.#prometheus.instant({ query: 'timestamp(up)', atMs: toMs }, signal),
      signal,
    ).then((answer) => !('refused' in answer));
    return this.#knowsTimes;
  }

  /** Without the times of the samples: for a query that cannot be part of another one, a scalar. */
  async #askPlainly(question: Question, range: Range, signal: AbortSignal): Promise<Finding> {
    const answer = await this.#range(question.query, range, signal);
    if ('refused' in answer) return { problem: answer.refused };
    if (answer.warnings.length > 0) {
      return { problem: `Prometheus answered in part only: ${answer.warnings.join('; ').slice(0, 300)}` };
    }
    return findingOf(question, { series: answer.series, takenAt: new Map() }, range, answer.asOfMs);
  }

  #range(query: string, range: Range, signal: AbortSignal): Promise<QueryAnswer | { refused: string }> {
    const { fromMs, toMs, stepMs } = range;
    return this.#orRefused(() => this.#prometheus.range({ query, fromMs, toMs, stepMs }, signal), signal);
  }

  async #orRefused(ask: () => Promise<QueryAnswer>, signal: AbortSignal): Promise<QueryAnswer | { refused: string }> {
    try {
      return await this.#budget.ask(ask, signal);
    } catch (error) {
      if (!(error instanceof PrometheusError) || isPrometheusTrouble(error)) throw error;
      // Smaller questions may be answered in time; a Prometheus that is too slow for every one of them is in trouble.
      if (error.trouble.kind === 'too-slow') this.#budget.spend(error, 0);
      else this.#budget.answered();
      return { refused: error.message };
    }
  }
}

function findingOf(question: Question, part: Part | undefined, range: Range, asOfMs: number): Finding {
  const { fromMs } = question.window;
  const toMs = Math.min(question.window.toMs, asOfMs + CLOCK_STEP_MS);
  const freshMs = Math.min(FRESH.atMostMs, Math.max(FRESH.atLeastMs, FRESH.steps * range.stepMs));
  const counts = ([atMs]: Sample) => {
    const takenMs = part?.takenAt.get(atMs) ?? atMs;
    return atMs > fromMs && atMs <= toMs && takenMs > fromMs && atMs - takenMs <= freshMs;
  };
  return onePerMoment((part?.series ?? []).map(({ labels, points }) => ({ labels, points: points.filter(counts) })));
}

/**
 * One series is expected. Several may follow one another, since labels change with a deployment; several at one moment
 * are a query that asks for more than one thing, and none of them is taken.
 */
function onePerMoment(series: readonly Series[]): Finding {
  const samples = series.flatMap(({ points }) => points).toSorted(([a], [b]) => a - b);
  const twice = samples.find(([atMs], index) => atMs === samples[index + 1]?.[0]);
  if (twice === undefined) return { samples };
  const [atMs] = twice;
  const names = series.filter(({ points }) => points.some(([at]) => at === atMs)).map(({ labels }) => shown(labels));
  return { problem: `the query answers ${names.length} series where one is expected: ${names.slice(0, 3).join(', ')}` };
}

function shown(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).filter(([name]) => name !== '__name__');
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}}`.slice(0, 120);
}
