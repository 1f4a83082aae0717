import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { FAULT_KINDS, faultSchema, readFaults } from '../../src/simulator/faults/schema.js';
import { COMPONENTS, METRICS, SERVICE_TYPES, SIGNALS } from '../../src/simulator/metrics/index.js';
import { simulatorCommand } from '../../src/simulator/options.js';
import { parseQuery } from '../../src/simulator/promql/parse.js';
import { codeBlocks, codeSpans, read, rows } from './markdown.js';

const PAGE = 'docs/simulator.md';
const text = read(PAGE);
const spans = codeSpans({ path: PAGE, text });
const section = (heading: string) => text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
const blocks = (language: string) =>
  codeBlocks({ path: PAGE, text }).flatMap((block) => (block.language === language ? [block.code] : []));

describe('simulator.md', () => {
  test('has a row for every fault, with all its fields', () => {
    const faults = rows(section('Faults'));
    for (const kind of FAULT_KINDS) {
      const row = faults.find(([first]) => first === `\`${kind}\``);
      expect(row, kind).toBeDefined();
      const schema = faultSchema.options.find((option) => option.shape.kind.value === kind);
      const known = codeSpans({ path: PAGE, text: [row?.[1], section('Faults').replace(/^\|.*$/gm, '')].join('\n') });
      for (const field of Object.keys(schema?.shape ?? {})) if (field !== 'kind') expect(known, kind).toContain(field);
    }
  });

  test('names no field that a fault does not have', () => {
    for (const [kind = '', fields = ''] of rows(section('Faults'))) {
      const schema = faultSchema.options.find((option) => `\`${option.shape.kind.value}\`` === kind);
      if (schema === undefined) continue;
      const named = codeSpans({ path: PAGE, text: fields });
      expect(Object.keys(schema.shape), kind).toEqual(expect.arrayContaining(named));
    }
  });

  test('has every flag', () => {
    const flags = rows(section('Start')).map(([flag = '']) => flag.replace(/`/g, '').split(' ')[0]);
    const known = simulatorCommand().options.map(({ long }) => long);
    expect(flags.filter((flag) => /^--\w/.test(flag ?? '')).sort()).toEqual(known.sort());
  });

  test('has every metric, type, component and signal', () => {
    const metrics = Object.values(METRICS).map(({ name }) => name);
    for (const word of [...metrics, ...SERVICE_TYPES, ...COMPONENTS, ...SIGNALS]) expect(spans).toContain(word);
  });

  test('shows faults that are accepted', () => {
    const [, faults] = blocks('yaml');
    expect(readFaults(parse(faults ?? ''), () => true)).toMatchObject({ ok: true });
  });

  test('shows queries that are answered', () => {
    const queries = (blocks('promql')[0] ?? '').trim().split('\n');
    expect(queries.length).toBeGreaterThan(5);
    for (const query of queries) expect(() => parseQuery(query)).not.toThrow();
  });
});
