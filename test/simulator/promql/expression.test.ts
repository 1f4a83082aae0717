import { describe, expect, test } from 'vitest';
import { type Line, labelOf, linesOf, merged, type Source } from '../../../src/simulator/promql/evaluate.js';
import type { Expression } from '../../../src/simulator/promql/expression.js';
import { parseQuery } from '../../../src/simulator/promql/parse.js';
import { QueryError } from '../../../src/simulator/promql/query-error.js';

const line = (name: string, labels: Record<string, string>, value: number | undefined): Line => ({
  labels: { __name__: name, ...labels },
  at: () => value,
});

/** Two cells with two types, one of them without a value now; and a metric of another name. */
const LINES = [
  line('ops', { cell: 'a', type: 'web' }, 10),
  line('ops', { cell: 'a', type: 'api' }, 2),
  line('ops', { cell: 'b', type: 'web' }, Number.NaN),
  line('ops', { cell: 'b', type: 'git' }, 4),
  line('ops', { cell: 'c', type: 'web' }, undefined),
  line('ops:total', { cell: 'a', path: 'C:\\x "y"\n' }, 7),
  line('spare', { cell: 'c', type: 'web' }, 5),
  line('spare', { cell: 'a', type: 'web' }, 6),
];

const source: Source = (matchers) =>
  LINES.filter(({ labels }) => matchers.every(({ label, fits }) => fits(labelOf(labels, label))));

function vector(query: string): Record<string, number> {
  const expression: Expression = parseQuery(query);
  if (expression.is === 'number') throw new Error('a number');
  const values = merged(linesOf(expression, source)).flatMap(({ labels, at }) => {
    const value = at(0);
    const { __name__ = '', ...others } = labels;
    const text = Object.entries(others).map(([k, v]) => `${k}=${v}`);
    return value === undefined ? [] : [[`${__name__}{${text.join(',')}}`, value] as const];
  });
  return Object.fromEntries(values);
}

describe('selectors', () => {
  test.each<[string, string[]]>([
    ['ops{cell="a"}', ['ops{cell=a,type=web}', 'ops{cell=a,type=api}']],
    [`ops{cell='a',type!="web",}`, ['ops{cell=a,type=api}']],
    ['ops{type=~"w.b|git"}', ['ops{cell=a,type=web}', 'ops{cell=b,type=web}', 'ops{cell=b,type=git}']],
    ['ops{type=~"we"}', []],
    ['ops{type!~"w.*|api"}', ['ops{cell=b,type=git}']],
    ['ops{type=~"(?i)GIT"}', ['ops{cell=b,type=git}']],
    ['{__name__=~"ops.*",cell="a",type=""}', ['ops:total{cell=a,path=C:\\x "y"\n}']],
    ['ops:total', ['ops:total{cell=a,path=C:\\x "y"\n}']],
    ['ops:total{path="C:\\\\x \\"y\\"\\n"}', ['ops:total{cell=a,path=C:\\x "y"\n}']],
    ['ops:total{path="\\x43:\\134x\\u0020\\"y\\"\\U0000000a"}', ['ops:total{cell=a,path=C:\\x "y"\n}']],
    ['ops:total{path=~`C:\\\\x "y"\\n`}', ['ops:total{cell=a,path=C:\\x "y"\n}']],
    ['ops{constructor!=""}', []],
    ['(ops{cell="b",type="git"}) # a comment', ['ops{cell=b,type=git}']],
    ['absent', []],
  ])('%s', (query, expected) => {
    expect(Object.keys(vector(query))).toEqual(expected);
  });
});

describe('aggregations', () => {
  test.each<[string, Record<string, number>]>([
    ['sum(ops{cell="a"})', { '{}': 12 }],
    ['sum by (cell) (ops{type!="web"})', { '{cell=a}': 2, '{cell=b}': 4 }],
    ['max(ops) by (cell,)', { '{cell=a}': 10, '{cell=b}': 4 }],
    ['MIN(ops)', { '{}': 2 }],
    ['avg(ops{cell="a"})', { '{}': 6 }],
    ['count(ops)', { '{}': 4 }],
    ['count by (type, nowhere) (ops)', { '{type=web}': 2, '{type=api}': 1, '{type=git}': 1 }],
    ['max(ops{type="web",cell="b"})', { '{}': Number.NaN }],
    ['sum(ops)', { '{}': Number.NaN }],
    ['min by (__name__) (ops)', { 'ops{}': 2 }],
    ['count by (constructor) (ops)', { '{}': 4 }],
    ['max(ops{cell="c"})', {}],
    ['max(sum by (cell) (ops{cell="a"}))', { '{}': 12 }],
  ])('%s', (query, expected) => {
    expect(vector(query)).toEqual(expected);
  });
});

describe('or', () => {
  test.each<[string, Record<string, number>]>([
    ['ops{cell="c"} or spare{cell="c"}', { 'spare{cell=c,type=web}': 5 }],
    [
      'ops{type="web"} or spare',
      { 'ops{cell=a,type=web}': 10, 'ops{cell=b,type=web}': Number.NaN, 'spare{cell=c,type=web}': 5 },
    ],
    ['max(absent) or sum(absent) or min(spare)', { '{}': 5 }],
    ['max(ops{cell="a"} or spare)', { '{}': 10 }],
  ])('%s', (query, expected) => {
    expect(vector(query)).toEqual(expected);
  });
});

describe('label_replace', () => {
  test.each<[string, string[]]>([
    ['label_replace(ops{type="git"}, "kind", "$1-$2", "type", "(g)(.*)")', ['ops{cell=b,type=git,kind=g-it}']],
    [
      `label_replace(ops{type="git"}, "kind", "$\{last}$$", "type", "g(?P<last>.*)")`,
      ['ops{cell=b,type=git,kind=it$}'],
    ],
    ['label_replace(ops{type="git"}, "kind", "$1x", "type", "(g).*")', ['ops{cell=b,type=git}']],
    ['label_replace(ops{type="git"}, "kind", "x", "type", "i")', ['ops{cell=b,type=git}']],
    ['label_replace(ops{type="git"}, "type", "", "type", ".*")', ['ops{cell=b}']],
    ['label_replace(ops{type="git"}, "kind", "none", "nowhere", "")', ['ops{cell=b,type=git,kind=none}']],
    ['label_replace(ops{type="git"}, "__name__", "other", "", "")', ['other{cell=b,type=git}']],
  ])('%s', (query, expected) => {
    expect(Object.keys(vector(query))).toEqual(expected);
  });

  test('that makes two series one is refused, as Prometheus does, and only where both have a value', () => {
    const same = (query: string) => `label_replace(${query}, "type", "any", "type", ".*")`;
    const thrown = (query: string) => {
      try {
        return vector(query);
      } catch (error) {
        return error;
      }
    };
    expect(thrown(same('ops{cell="a"}'))).toMatchObject({ type: 'execution', name: 'QueryError' });
    expect(vector(same('ops{cell="c"}'))).toEqual({});
    expect(vector(`max(${same('ops{cell="b",type="git"}')})`)).toEqual({ '{}': 4 });
  });
});

describe('numbers', () => {
  test.each([
    ['7', 7],
    ['-.5', -0.5],
    ['+1e3', 1000],
    ['0x1F', 31],
    ['Inf', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['nan', Number.NaN],
    ['(2.50)', 2.5],
  ])('%s', (query, value) => {
    expect(parseQuery(query)).toEqual({ is: 'number', value });
  });
});

describe('everything else is refused, never answered with another value', () => {
  test.each([
    ['', /no expression found|unexpected/],
    ['# only a comment', /no expression found|unexpected/],
    ['ops{cell="a"', /parse error/],
    ['ops{cell="a}', /parse error/],
    ['ops{cell="a\\"}', /parse error/],
    ['ops{cell="a\\q"}', /unknown escape sequence/],
    ['ops{cell="\\xff"}', /not answered here/],
    ['ops{cell="\\ud800"}', /invalid escape sequence/],
    ['ops{cell=~"("}', /missing closing \)/],
    ['ops{cell=~"a)|(b"}', /unexpected \)|error parsing/],
    ['ops{cell=~"(?=a)"}', /error parsing/],
    ['ops{cell=~"(a)\\\\1"}', /error parsing/],
    ['{}', /at least one non-empty matcher/],
    ['{cell=~".*"}', /at least one non-empty matcher/],
    ['ops{__name__="x"}', /metric name must not be set twice/],
    ['{"ops"}', /not answered here/],
    ['ops{"cell"="a"}', /not answered here/],
    ['ops offset 5m', /not answered here/],
    ['ops @ 17', /not answered here/],
    ['ops[5m]', /not answered here/],
    ['max_over_time(ops[5m:1m])', /not answered here/],
    ['rate(ops[5m])', /"rate" is not answered here/],
    ['vector(1)', /not answered here/],
    ['1 + 1', /not answered here/],
    ['ops > 1', /not answered here/],
    ['ops and spare', /not answered here/],
    ['ops unless spare', /not answered here/],
    ['ops or on(cell) spare', /not answered here/],
    ['ops or 1', /expected type instant vector/],
    ['1 or 1', /expected type instant vector/],
    ['max(1)', /expected type instant vector/],
    ['max(ops, spare)', /wrong number of arguments/],
    ['sum without (cell) (ops)', /without is not answered here/],
    ['topk(1, ops)', /the aggregation topk is not answered here/],
    ['quantile(0.9, ops)', /not answered here/],
    ['group(ops)', /not answered here/],
    ['-ops', /not answered here/],
    ['"text"', /not answered here/],
    ['5m', /not answered here/],
    ['017', /not answered here/],
    ['1_000', /not answered here/],
    ['label_replace(ops, "a", "b", "c")', /expected label_replace/],
    ['label_replace(ops, "a b", "$1", "cell", "x")', /invalid label name/],
    ['label_replace(ops, "a", "$1", "cell", "(")', /error parsing/],
    [`${'('.repeat(60)}ops${')'.repeat(60)}`, /nested more than/],
    [`ops{cell="${'x'.repeat(20_000)}"}`, /more than 20000 characters/],
  ])('%s', (query, message) => {
    expect(() => parseQuery(query)).toThrow(QueryError);
    expect(() => parseQuery(query)).toThrow(message);
  });
});
