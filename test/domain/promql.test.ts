import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instantSelectors } from '../../src/domain/promql.js';

describe('where a query reads single samples', () => {
  it.each<[string, string[]]>([
    ['up', ['up']],
    ['gitlab_service_apdex:ratio_5m{cell="c",type="web"}', ['gitlab_service_apdex:ratio_5m{cell="c",type="web"}']],
    ['{__name__="up",cell="c"}', ['{__name__="up",cell="c"}']],
    ['max(x{cell="c"})', ['x{cell="c"}']],
    ['a{x="1"} / on(cell) group_left(region) b', ['a{x="1"}', 'b']],
    ['sum by (cell) (a) or vector(0)', ['a']],
    ['sum(a) without (pod) > bool 0.5', ['a']],
    ['SUM BY (a) (b)', ['b']],
    ['a offset 5m', ['a offset 5m']],
    ['a offset -5m + a', ['a offset -5m', 'a']],
    ['a{x="1"} @ 1600000000 offset 1h', ['a{x="1"} @ 1600000000 offset 1h']],
    ['a @ end()', ['a @ end()']],
    ['a + a', ['a']],
    ['a and b unless c', ['a', 'b', 'c']],
    ['quantile(0.9, a) > 1e-5', ['a']],
    ['clamp_max(a, Inf)', ['a']],
    ['a # b\n+ c', ['a', 'c']],
    ['a{x=~"b{2}|}"}', ['a{x=~"b{2}|}"}']],
    ["a{x='\\'} b'}", ["a{x='\\'} b'}"]],
    ['a{x=`}`}', ['a{x=`}`}']],
    ['max_over_time((a / b)[1h:1m])', ['a', 'b']],
  ])('%s', (query, selectors) => {
    expect(instantSelectors(query)).toEqual(selectors);
  });

  it.each([
    'rate(a{cell="c"}[5m])',
    'sum(rate(a[5m])) by (cell) / sum(rate(b{x="]"}[5m] offset 1m)) by (cell)',
    'histogram_quantile(0.95, sum by (le) (rate(a_bucket[5m])))',
    'max_over_time(a[1h:1m])',
    'vector(1)',
    'time() - 5',
    '1',
    '"text"',
    '',
  ])('nowhere in %s', (query) => {
    expect(instantSelectors(query)).toEqual([]);
  });

  it('comes to an end on whatever is no query', () => {
    const piece = fc.constantFrom(
      'a',
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      '"',
      "'",
      'by',
      'offset',
      '@',
      '-',
      '5m',
      ' ',
      '#',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const query = pieces.join('');
        for (const selector of instantSelectors(query)) expect(query).toContain(selector);
      }),
    );
  });
});
