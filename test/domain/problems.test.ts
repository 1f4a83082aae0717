import { describe, expect, it } from 'vitest';
import type { Problem } from '../../src/contract/problem.js';
import { z } from '../../src/contract/zod.js';
import { bounded, formatProblems, problemsFromZod, renderValue } from '../../src/domain/problems.js';

const schema = z.strictObject({
  by: z.string('the name of who asks').min(1),
  mode: z.enum(['a', 'b']).optional(),
  scope: z.union([z.enum(['cluster', 'outer']), z.strictObject({ ring: z.int() })]).optional(),
  cells: z.array(z.string()).min(1).optional(),
});

const problems = (input: unknown) => {
  const parsed = schema.safeParse(input);
  return parsed.success ? [] : problemsFromZod(parsed.error, input, schema);
};

describe('problems of an input', () => {
  it('take the words of the schema where it has some, and plain ones otherwise', () => {
    expect(problems({ mode: 'c', cells: [] })).toEqual([
      { path: 'by', value: 'missing', expected: 'the name of who asks' },
      { path: 'mode', value: '"c"', expected: 'one of a, b' },
      { path: 'cells', value: '[]', expected: 'a number of entries of at least 1' },
    ]);
  });

  it('name an unknown key and the one that was meant, once for each key', () => {
    expect(problems({ by: 'x', moed: 'a', zzzzzzzzzz: 1 })).toEqual([
      { path: 'moed', value: '"a"', expected: 'a known field; did you mean mode?' },
      { path: 'zzzzzzzzzz', value: '1', expected: 'a known field: one of by, mode, scope, cells' },
    ]);
  });

  it('say all that a union would take', () => {
    expect(problems({ by: 'x', scope: 5 })[0]?.expected).toBe('one of cluster, outer or an object');
  });

  it('do without the schema, and with no input at all', () => {
    const parsed = schema.safeParse({ by: 'x', moed: 'a' });
    expect(parsed.error && problemsFromZod(parsed.error, { by: 'x', moed: 'a' })[0]?.expected).toBe('a known field');
    expect(problems(undefined)).toEqual([{ path: '', value: 'missing', expected: 'an object' }]);
  });

  it('are shown a line each, and counted beyond the limit', () => {
    const list = problems({ mode: 'c', cells: [5] });
    expect(formatProblems(list, 1)).toBe('by: found missing, expected the name of who asks\n… and 2 more');
    expect(formatProblems(list).split('\n')).toHaveLength(3);
    expect(formatProblems(problems(null))).toBe('(whole): found null, expected an object');
  });

  it('show values short, and survive what is no JSON', () => {
    expect(renderValue('x'.repeat(200))).toHaveLength(80);
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(renderValue(loop)).toBe('[object Object]');
    expect(renderValue(1n)).toBe('1');
  });
});

describe('problems without end', () => {
  const problem = (path: string): Problem => ({ path, value: 'x', expected: 'y' });

  it('are told up to a thousand, and the others counted', () => {
    const many = Array.from({ length: 1_500 }, (_, i) => problem(`cells[${i}]`));
    const told = bounded(many);
    expect(told).toHaveLength(1_001);
    expect(told.at(-1)).toMatchObject({ path: '', value: '500 more problems' });
    expect(bounded(many.slice(0, 1_000))).toHaveLength(1_000);
  });

  it('of a schema are not even worked out beyond that', () => {
    const list = z.array(z.object({ id: z.string() }));
    const parsed = list.safeParse(Array.from({ length: 20_000 }, () => ({})));
    const told = problemsFromZod(parsed.error as z.core.$ZodError, [], list);
    expect(told).toHaveLength(1_001);
    expect(told.at(-1)).toMatchObject({ value: '19000 more problems' });
  });
});
