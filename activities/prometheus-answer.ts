import type { Sample } from '../src/contract/health.js';
import { z } from '../src/contract/zod.js';
import type { Series } from './ports.js';

/**
 * What Prometheus answers, https://prometheus.io/docs/prometheus/latest/querying/api/. Points are read by hand: there
 * are tens of thousands in one answer, and a schema each would hold the process for a good part of a second.
 */

const labels = z.record(z.string(), z.string());
const points = z.unknown().transform((value, context): Sample[] => {
  const read = Array.isArray(value) ? value.map(pointOf) : [null];
  if (read.every((point) => point !== null)) return read;
  context.addIssue({ code: 'custom', message: 'a point is a time and a value' });
  return z.NEVER;
});
const one = z
  .unknown()
  .transform((value): unknown => [value])
  .pipe(points);

/** A series of native histograms has no `values`: it has no points that could be compared. */
const matrix = z.object({
  resultType: z.literal('matrix'),
  result: z.array(z.object({ metric: labels, values: points.default([]) })),
});
const vector = z.object({
  resultType: z.literal('vector'),
  result: z.array(z.object({ metric: labels, value: one.default([]) })),
});
const scalar = z.object({ resultType: z.literal('scalar'), result: one });

const answer = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [matrix, vector, scalar]),
  warnings: z.array(z.string()).nullish(),
});

export type ReadAnswer = { series: Series[]; warnings: string[] } | { problem: string };

export function readAnswer(json: unknown): ReadAnswer {
  const read = answer.safeParse(json);
  if (!read.success) {
    const issue = read.error.issues[0];
    return { problem: `${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'is none'}` };
  }
  const { data, warnings } = read.data;
  return { series: seriesOf(data), warnings: warnings ?? [] };
}

function seriesOf(data: z.infer<typeof answer>['data']): Series[] {
  switch (data.resultType) {
    case 'matrix':
      return data.result.map(({ metric, values }) => ({ labels: metric, points: values }));
    case 'vector':
      return data.result.map(({ metric, value }) => ({ labels: metric, points: value }));
    case 'scalar':
      return [{ labels: {}, points: data.result }];
  }
}

/** `[seconds, "value"]`; null where it is none. */
function pointOf(point: unknown): Sample | null {
  if (!Array.isArray(point) || point.length !== 2) return null;
  const [seconds, text] = point as [unknown, unknown];
  if (typeof seconds !== 'number' || typeof text !== 'string') return null;
  const value = numberOf(text);
  return value === null ? null : [Math.round(seconds * 1000), value];
}

const NOT_FINITE: Record<string, number> = {
  NaN: Number.NaN,
  '+Inf': Number.POSITIVE_INFINITY,
  Inf: Number.POSITIVE_INFINITY,
  '-Inf': Number.NEGATIVE_INFINITY,
};

function numberOf(text: string): number | null {
  const known = NOT_FINITE[text];
  if (known !== undefined) return known;
  const value = Number(text);
  return text.trim() === '' || Number.isNaN(value) ? null : value;
}

const failure = z.object({ errorType: z.string().catch(''), error: z.string().catch('') });

/** What Prometheus says of a query that failed, where it says anything. */
export const readFailure = (json: unknown): z.infer<typeof failure> =>
  failure.safeParse(json).data ?? { errorType: '', error: '' };
