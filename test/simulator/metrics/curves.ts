import {
  type CellModel,
  type CellPast,
  REAL_DAY_MS,
  type Series,
  seriesOf,
} from '../../../src/simulator/metrics/index.js';
import { OLD } from '../amp-client.js';

export const NOON_MS = Date.parse('2026-11-21T12:00:00Z');
export const MINUTE_MS = 60_000;
export const DAY_MS = REAL_DAY_MS;

export const cell = (over: Partial<CellModel> = {}): CellModel => ({
  id: 'cell-1',
  region: 'us-east1',
  quiet: false,
  observed: null,
  ...over,
});

export const ALWAYS_OLD = { atMs: 0, version: OLD };
export const QUIET_PAST: CellPast = { installs: [ALWAYS_OLD], strikes: [] };

export interface Asked {
  model?: CellModel;
  past?: CellPast;
  seed?: number;
  dayMs?: number;
}

/** The series of a cell by `metric` or `metric type`, `metric component`. */
export function seriesByName({
  model = cell(),
  past = QUIET_PAST,
  seed = 1,
  dayMs = DAY_MS,
}: Asked = {}): Map<string, Series> {
  const short = (series: Series) => {
    const [, metric = ''] = /^gitlab_(?:service_|component_)?(\w+?)(?::.*)?$/.exec(series.labels.__name__ ?? '') ?? [];
    return [metric, series.labels.type ?? series.labels.component ?? series.labels.package].filter(Boolean).join(' ');
  };
  return new Map(seriesOf(model, past, { seed, dayMs }).map((series) => [short(series), series]));
}

export function curve(name: string, asked: Asked = {}): (atMs: number) => number {
  const series = seriesByName(asked).get(name);
  if (series === undefined) throw new Error(`no series ${name}`);
  return (atMs) => series.at(atMs) ?? Number.NEGATIVE_INFINITY;
}

/** Moments from `fromMs` on, `count` of them. */
export const moments = (fromMs: number, everyMs: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => fromMs + i * everyMs);

export const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export function variance(values: number[]): number {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
}

export function correlation(a: number[], b: number[]): number {
  const [x, y] = [mean(a), mean(b)];
  const together = mean(a.map((value, i) => (value - x) * ((b[i] ?? 0) - y)));
  return together / Math.sqrt(variance(a) * variance(b));
}

export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}
