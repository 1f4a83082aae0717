import { expect } from 'vitest';

export type Metric = Record<string, string>;
type Point = [seconds: number, value: string];
export type Data =
  | { resultType: 'scalar'; result: Point }
  | { resultType: 'vector'; result: { metric: Metric; value: Point }[] }
  | { resultType: 'matrix'; result: { metric: Metric; values: Point[] }[] };

export interface Answer {
  http: number;
  status: 'success' | 'error';
  data?: Data;
  errorType?: string;
  error?: string;
}

/** Asks Prometheus' API, of whoever answers it. */
export async function ask(
  url: string,
  call: 'query' | 'query_range',
  params: Record<string, string>,
  method = 'GET',
): Promise<Answer> {
  const form = new URLSearchParams(params).toString();
  const response =
    method === 'GET'
      ? await fetch(`${url}/api/v1/${call}?${form}`)
      : await fetch(`${url}/api/v1/${call}`, {
          method,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: form,
        });
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return { http: response.status, ...((await response.json()) as Omit<Answer, 'http'>) };
}

const nameOf = ({ __name__ = '', ...labels }: Metric): string => {
  const pairs = Object.entries(labels).filter(([label]) => label !== 'job' && label !== 'instance');
  return `${__name__}{${pairs
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}="${value}"`)
    .join(',')}}`;
};

const seconds = (ms: number): string => String(ms / 1000);

/** The values of a vector at a moment, by series; what only a scrape adds to labels is left out. */
export async function vectorAt(url: string, query: string, atMs: number): Promise<Map<string, string>> {
  const { data, error } = await ask(url, 'query', { query, time: seconds(atMs) });
  if (data?.resultType !== 'vector') throw new Error(`${query}: no vector: ${error ?? data?.resultType}`);
  for (const { value } of data.result) expect(value[0]).toBe(atMs / 1000);
  return new Map(data.result.map(({ metric, value }) => [nameOf(metric), value[1]]));
}

/** The values of a range, by series and by moment in milliseconds. */
export async function rangeOf(
  url: string,
  query: string,
  { startMs, endMs, stepMs }: { startMs: number; endMs: number; stepMs: number },
): Promise<Map<string, Map<number, string>>> {
  const params = { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
  const { data, error } = await ask(url, 'query_range', params);
  if (data?.resultType !== 'matrix') throw new Error(`${query}: no matrix: ${error ?? data?.resultType}`);
  const points = (values: Point[]) => new Map(values.map(([at, value]) => [Math.round(at * 1000), value]));
  return new Map(data.result.map(({ metric, values }) => [nameOf(metric), points(values)]));
}
