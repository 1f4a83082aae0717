import type { Sample } from '../src/contract/health.js';
import { instantSelectors } from '../src/domain/promql.js';
import type { Series } from './ports.js';

/**
 * Many queries in one request, each with the times of the samples that it reads, where they are wanted. Every part is
 * labelled with where it belongs: `N.value` is query N itself, `N.time` when the oldest sample behind each of its points
 * was taken.
 */
const PART = 'part_of_the_query';

/** One query of PromQL that answers all of these. */
export function combine(queries: readonly string[], withTimes: boolean): string {
  const parts = queries.flatMap((query, index) => {
    const value = part(query, `${index}.value`);
    return withTimes ? [value, ...times(query, index)] : [value];
  });
  return joined(parts);
}

const times = (query: string, index: number): string[] =>
  instantSelectors(query).map((selector, at) => part(`min(timestamp(${selector}))`, `${index}.time.${at}`));

/** The line breaks keep a comment at a query's end from swallowing what follows; the brackets keep it one operand. */
const part = (query: string, name: string): string => `label_replace((\n${query}\n), "${PART}", "${name}", "", "")`;

/** As a balanced tree: in a chain of `or` each operand is compared with all before it, at every step. */
function joined(parts: readonly string[]): string {
  if (parts.length <= 1) return parts[0] ?? '';
  const middle = Math.ceil(parts.length / 2);
  return `(${joined(parts.slice(0, middle))} or ${joined(parts.slice(middle))})`;
}

/** What one query of a combination was answered with. */
export interface Part {
  series: Series[];
  /** By the time of an evaluation, when the oldest sample behind it was taken; epoch ms, both. Empty where not asked. */
  takenAt: ReadonlyMap<number, number>;
}

/** The parts of an answer, in the order of the queries; null where it is none to a combination. */
export function takeApart(series: readonly Series[], count: number): Part[] | null {
  const parts = Array.from({ length: count }, () => ({ series: [] as Series[], takenAt: new Map<number, number>() }));
  for (const one of series) {
    const { [PART]: name = '', ...labels } = one.labels;
    const [index, kind] = name.split('.');
    const found = parts[Number(index || Number.NaN)];
    if (found === undefined) return null;
    if (kind === 'value') found.series.push({ labels, points: one.points });
    else noteTimes(found.takenAt, one.points);
  }
  return parts;
}

function noteTimes(takenAt: Map<number, number>, points: readonly Sample[]): void {
  for (const [atMs, seconds] of points) {
    const takenMs = Math.round(seconds * 1000);
    takenAt.set(atMs, Math.min(takenMs, takenAt.get(atMs) ?? takenMs));
  }
}
