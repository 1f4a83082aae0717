import type { Labels } from '../metrics/index.js';
import type { Aggregation, LabelReplace, Matcher, VectorExpression } from './expression.js';
import { expand } from './pattern.js';
import { QueryError } from './query-error.js';

/** A series that a query answers with, as a function of time: undefined where it has no value. */
export interface Line {
  labels: Labels;
  at(atMs: number): number | undefined;
}

/** Finds the series that fit all matchers. */
export type Source = (matchers: readonly Matcher[]) => Line[];

/**
 * The lines of a query. Labels do not depend on time here, so that only values are left to be worked out at each
 * moment.
 */
export function linesOf(expression: VectorExpression, source: Source): Line[] {
  switch (expression.is) {
    case 'selector':
      return source(expression.matchers);
    case 'aggregate':
      return aggregate(linesOf(expression.of, source), expression.by, expression.how);
    case 'or':
      return or(linesOf(expression.left, source), linesOf(expression.right, source));
    case 'label-replace':
      return merged(linesOf(expression.of, source).map((line) => withLabel(line, expression)));
  }
}

/** A label's value; one that is not there is ''. */
export const labelOf = (labels: Labels, name: string): string =>
  Object.hasOwn(labels, name) ? (labels[name] ?? '') : '';

/** The same labels give the same text. */
export const signatureOf = (labels: Labels): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}

/** Lines of the same labels as one. Throws `QueryError` where two of them have a value at one moment. */
export const merged = (lines: readonly Line[]): Line[] =>
  groupedBy(lines, ({ labels }) => signatureOf(labels)).map((same) => {
    const [first] = same as [Line];
    if (same.length === 1) return first;
    return { labels: first.labels, at: (atMs) => theOnly(valuesAt(same, atMs)) };
  });

const valuesAt = (lines: readonly Line[], atMs: number): number[] =>
  lines.map((line) => line.at(atMs)).filter((value) => value !== undefined);

function theOnly(values: number[]): number | undefined {
  if (values.length > 1) throw new QueryError('execution', 'vector cannot contain metrics with the same labelset');
  return values[0];
}

function aggregate(lines: Line[], by: string[], how: Aggregation): Line[] {
  const kept = (labels: Labels): Labels =>
    Object.fromEntries(by.map((label) => [label, labelOf(labels, label)]).filter(([, value]) => value !== ''));
  const groups = groupedBy(lines, ({ labels }) => signatureOf(kept(labels)));
  return groups.map((group) => ({
    labels: kept((group[0] as Line).labels),
    at: (atMs) => {
      const values = valuesAt(group, atMs);
      return values.length === 0 ? undefined : AGGREGATE[how](values);
    },
  }));
}

/** NaN loses against every number where the least or the greatest is asked for, and spoils a sum. */
const AGGREGATE: Record<Aggregation, (values: number[]) => number> = {
  min: (values) => values.reduce((least, value) => (value < least || Number.isNaN(least) ? value : least)),
  max: (values) => values.reduce((most, value) => (value > most || Number.isNaN(most) ? value : most)),
  avg: (values) => sum(values) / values.length,
  sum: (values) => sum(values),
  count: (values) => values.length,
};

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

/** Everything on the left, and of the right what has no counterpart there at that moment; names do not count. */
function or(left: Line[], right: Line[]): Line[] {
  const nameless = ({ labels: { __name__, ...others } }: Line): string => signatureOf(others);
  const ofLeft = new Map(groupedBy(left, nameless).map((group) => [nameless(group[0] as Line), group]));
  const rest = right.map((line) => {
    const counterparts = ofLeft.get(nameless(line)) ?? [];
    const isFree = (atMs: number) => counterparts.every((other) => other.at(atMs) === undefined);
    return { labels: line.labels, at: (atMs: number) => (isFree(atMs) ? line.at(atMs) : undefined) };
  });
  return merged([...left, ...rest]);
}

function withLabel(line: Line, { target, template, source, pattern }: LabelReplace): Line {
  const groups = pattern.groups(labelOf(line.labels, source));
  if (groups === null) return line;
  const value = expand(template, groups, pattern.names);
  const { [target]: _before, ...others } = line.labels;
  return { labels: value === '' ? others : { ...others, [target]: value }, at: line.at };
}
