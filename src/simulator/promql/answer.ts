import { numberText } from '../metrics/exposition.js';
import { type Line, linesOf, merged, type Source, signatureOf } from './evaluate.js';
import type { Expression } from './expression.js';
import type { Range } from './parameters.js';
import { QueryError } from './query-error.js';

/** So many values are worked out for one query: some seconds of work, in which nobody else is answered. */
const MOST_SAMPLES = 5_000_000;

type Point = [seconds: number, value: string];

const pointAt = (atMs: number, value: number): Point => [atMs / 1000, numberText(value)];

/** The data of an answer at one moment, as Prometheus has it. */
export function instantAnswer(expression: Expression, source: Source, atMs: number): object {
  if (expression.is === 'number') return { resultType: 'scalar', result: pointAt(atMs, expression.value) };
  const result = inOrder(merged(linesOf(expression, bounded(source, 1)))).flatMap((line) => {
    const value = line.at(atMs);
    return value === undefined ? [] : [{ metric: line.labels, value: pointAt(atMs, value) }];
  });
  return { resultType: 'vector', result };
}

/** The data of an answer over a range: series without a value in it are left out. */
export function rangeAnswer(expression: Expression, source: Source, range: Range): object {
  const times = timesOf(range);
  if (expression.is === 'number') {
    const values = times.map((atMs) => pointAt(atMs, expression.value));
    return { resultType: 'matrix', result: [{ metric: {}, values }] };
  }
  const lines = inOrder(merged(linesOf(expression, bounded(source, times.length))));
  const result = lines.map((line) => ({ metric: line.labels, values: pointsOf(line, times) }));
  return { resultType: 'matrix', result: result.filter(({ values }) => values.length > 0) };
}

function timesOf({ startMs, endMs, stepMs }: Range): number[] {
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  return Array.from({ length: count }, (_, i) => startMs + i * stepMs);
}

const pointsOf = (line: Line, times: readonly number[]): Point[] =>
  times.flatMap((atMs) => {
    const value = line.at(atMs);
    return value === undefined ? [] : [pointAt(atMs, value)];
  });

function inOrder(lines: Line[]): Line[] {
  const keyed = lines.map((line) => ({ key: signatureOf(line.labels), line }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ line }) => line);
}

function bounded(source: Source, points: number): Source {
  let samples = 0;
  return (matchers) => {
    const lines = source(matchers);
    samples += lines.length * points;
    if (samples <= MOST_SAMPLES) return lines;
    throw new QueryError('execution', 'query processing would load too many samples into memory in query execution');
  };
}
