import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { ampOpenApi } from '../../src/simulator/openapi.js';
import { closeAll, simulate } from './amp-client.js';

afterEach(closeAll);

const committed: unknown = JSON.parse(readFileSync(new URL('../../docs/amp.openapi.json', import.meta.url), 'utf8'));

test('the committed description of AMP is current', () => {
  expect(committed).toEqual(ampOpenApi());
});

test('the simulator serves the description of AMP, and of nothing else', async () => {
  const amp = await simulate();
  const { body } = await amp.control<{ openapi: string; paths: Record<string, Record<string, unknown>> }>(
    'GET',
    '/openapi.json',
  );
  expect(body).toEqual(committed);
  expect(body.openapi).toBe('3.1.0');
  const calls = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((m) => `${m} ${path}`),
  );
  expect(calls.sort()).toEqual([
    'get /v1/jobs',
    'get /v1/jobs/{id}',
    'get /v1/tenants/{tenant}',
    'post /v1/jobs',
    'post /v1/jobs/{id}/cancel',
  ]);
});

test('every reference in the description leads somewhere', () => {
  const document = ampOpenApi() as { components: { schemas: Record<string, unknown> } };
  const references = JSON.stringify(document).match(/#\/components\/schemas\/\w+/g) ?? [];
  expect(references.length).toBeGreaterThan(10);
  for (const reference of references) {
    expect(document.components.schemas).toHaveProperty(reference.split('/').at(-1) as string);
  }
});
