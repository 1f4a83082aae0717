import { type Labels, METRICS, type Series } from './series.js';
import type { Signal } from './strikes.js';

/** Of Prometheus' text format. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What a scrape at a moment gets: every series that exists then, by metric. */
export function exposition(series: readonly Series[], nowMs: number): string {
  const lines = (Object.keys(METRICS) as Signal[]).flatMap((signal) => {
    const { name, help } = METRICS[signal];
    const samples = series.flatMap((one) => (one.signal === signal ? sampleLine(name, one, nowMs) : []));
    return samples.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...samples];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function sampleLine(name: string, series: Series, nowMs: number): string[] {
  const value = series.at(nowMs);
  return value === undefined ? [] : [`${name}${labelText(series.labels)} ${numberText(value)}`];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).filter(([key]) => key !== '__name__');
  return `{${pairs.map(([key, value]) => `${key}="${escaped(value)}"`).join(',')}}`;
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');

/** A number as Prometheus writes it: shortest, never with an exponent, and with a sign before Inf. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return Object.is(value, -0) ? '-0' : text;
  const [, sign = '', first = '', rest = '', exponent] = match;
  const [digits, shift] = [first + rest, Number(exponent)];
  if (shift < 0) return `${sign}0.${'0'.repeat(-shift - 1)}${digits}`;
  return `${sign}${digits.padEnd(shift + 1, '0')}`;
}
