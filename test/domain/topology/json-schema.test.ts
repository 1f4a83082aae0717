import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { topologyJsonSchema } from '../../../src/cli/topology-json-schema.js';
import { z } from '../../../src/contract/zod.js';
import { written } from './topologies.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const published = JSON.parse(read('../../../topology.schema.json'));

describe('the published JSON Schema', () => {
  it('is current: `npm run schema` would change nothing', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(topologyJsonSchema())));
    expect(published).toMatchObject({
      title: expect.any(String),
      description: expect.any(String),
      $schema: expect.any(String),
    });
  });

  it('takes the example, and refuses what is unknown, missing or misshapen', () => {
    const schema = z.fromJSONSchema(published);
    expect(schema.safeParse(parseYaml(read('../../fixtures/topology.example.yaml'))).error).toBeUndefined();
    expect(schema.safeParse(written()).success).toBe(true);
    for (const bad of [
      {},
      written({ polcy: {} }),
      written({ policy: { bakeTime: '1.5h' } }),
      written({ perimeter: -1 }),
    ]) {
      expect(schema.safeParse(bad).success).toBe(false);
    }
  });
});
