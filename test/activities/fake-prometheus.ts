import type { Series } from '../../activities/ports.js';
import { FakeHttp, type HeardRequest, type Reply } from './fake-http.js';

/** What is behind one query: a value at each evaluation, and when it was taken (at once, unless said otherwise). */
export interface FakeSeries {
  labels?: Record<string, string>;
  /** The value at this time, epoch ms; null: none. */
  at: (ms: number) => number | null;
  takenAt?: (ms: number) => number;
}

const PART = /label_replace\(\(\n([\s\S]*?)\n\), "part_of_the_query", "([^"]+)", "", ""\)/g;

/** Answers range queries, combined ones too, from what a test says is behind each query. */
export class FakePrometheus {
  /** What is behind a query; a string is a refusal. */
  behind: (query: string) => FakeSeries[] | string = () => [];
  /** Takes the place of an answer. */
  instead: (request: HeardRequest) => Reply | null = () => null;
  warnings: (query: string) => string[] = () => [];
  headers: Record<string, string> = {};
  /** It knows no `label_replace`, and answers with what is behind the whole. */
  plain = false;
  /** It knows no `timestamp`, and refuses whatever has it. */
  timeless = false;

  private constructor(readonly http: FakeHttp) {
    http.handle = (request) => this.instead(request) ?? this.#answer(request);
  }

  static async start(): Promise<FakePrometheus> {
    return new FakePrometheus(await FakeHttp.start(() => ({})));
  }

  get queries(): string[] {
    return this.http.heard.map(({ form }) => form.get('query') ?? '');
  }

  #answer({ form, path }: HeardRequest): Reply {
    const query = form.get('query') ?? '';
    if (this.timeless && query.includes('timestamp(')) return refused('unknown function');
    if (path.endsWith('/query')) return { json: { status: 'success', data: { resultType: 'vector', result: [] } } };
    const [start, end, step] = ['start', 'end', 'step'].map((name) => Math.round(Number(form.get(name)) * 1000));
    const moments: number[] = [];
    for (let at = start ?? 0; at <= (end ?? 0); at += step ?? 1) moments.push(at);
    const parts = this.plain ? [] : [...query.matchAll(PART)];
    const answers =
      parts.length === 0 ? [this.#plainly(query, moments)] : parts.map((part) => this.#part(part, moments));
    const refusal = answers.find((answer) => typeof answer === 'string');
    if (refusal) return refused(refusal);
    const result = (answers as Series[][]).flat().map(({ labels, points }) => ({
      metric: labels,
      values: points.map(([at, value]) => [at / 1000, String(value).replace('Infinity', 'Inf')]),
    }));
    const json = { status: 'success', data: { resultType: 'matrix', result }, warnings: this.warnings(query) };
    return { json, headers: this.headers };
  }

  #plainly(query: string, moments: number[]): Series[] | string {
    const behind = this.behind(query);
    if (typeof behind === 'string') return behind;
    return behind.map(({ labels = {}, at }) => ({ labels, points: pointsOf(moments, at) }));
  }

  #part([, query = '', name = '']: RegExpExecArray | RegExpMatchArray, moments: number[]): Series[] | string {
    const selector = /^min\(timestamp\((.*)\)\)$/s.exec(query)?.[1];
    const behind = this.behind(selector ?? query);
    if (typeof behind === 'string') return behind;
    return behind.map(({ labels = {}, at, takenAt = (ms) => ms }) => ({
      labels: { ...(selector === undefined ? labels : {}), part_of_the_query: name },
      points: pointsOf(moments, selector === undefined ? at : (ms) => (at(ms) === null ? null : takenAt(ms) / 1000)),
    }));
  }
}

const refused = (error: string): Reply => ({
  status: 400,
  json: { status: 'error', errorType: 'bad_data', error },
});

const pointsOf = (moments: number[], at: (ms: number) => number | null): [number, number][] =>
  moments.flatMap((ms): [number, number][] => {
    const value = at(ms);
    return value === null ? [] : [[ms, value]];
  });
