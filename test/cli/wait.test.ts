import { expect, it } from 'vitest';
import type { Everywhere } from '../../src/contract/status.js';
import { run, VERSION } from './harness.js';

const answer = (more: Partial<Everywhere> = {}): Everywhere => ({
  version: VERSION,
  there: false,
  never: null,
  rings: [{ ring: 2, there: false, converged: null }],
  missing: [{ ring: 2, cell: 'c1', state: 'quarantined', reason: 'disk' }],
  missingTotal: 1,
  ...more,
});

const asked: unknown[] = [];
const cluster = (...answers: Everywhere[]) => ({
  cluster: () => ({
    isEverywhere: async (ask: unknown) => {
      asked.push(ask);
      return answers.length > 1 ? answers.shift() : answers[0];
    },
  }),
});

it('is done when the package is there, and names who was not counted', async () => {
  const ran = await run(['wait', VERSION, '--everywhere', '--ignore-quarantined'], cluster(answer({ there: true })));
  expect(ran).toMatchObject({ exit: 0 });
  expect(ran.stdout).toContain('c1: quarantined, disk');
  expect(asked.at(-1)).toEqual({ version: VERSION, ignoreQuarantined: true });
});

it('waits until it is', async () => {
  const ran = await run(['wait', VERSION, '--ring', '2', '--ring', '3'], cluster(answer(), answer({ there: true })));
  expect(ran.exit).toBe(0);
  expect(asked.at(-1)).toEqual({ version: VERSION, rings: [2, 3] });
});

it('ends with 1 where it never will be, and says why', async () => {
  const ran = await run(['wait', VERSION, '--everywhere'], cluster(answer({ never: 'it is blocked' })));
  expect([ran.exit, ran.stdout]).toEqual([1, expect.stringContaining('it will not be there: it is blocked')]);
});

it('ends with 4 when its time is up, with all that is missing', async () => {
  const ran = await run(['wait', VERSION, '--everywhere', '--timeout', '1s', '--json'], cluster(answer()));
  expect(ran.exit).toBe(4);
  expect(JSON.parse(ran.stdout)).toMatchObject({ there: false, missing: [{ cell: 'c1' }] });
});

it('waits for every ring where none is named', async () => {
  const ran = await run(['wait', VERSION], cluster(answer({ there: true })));
  expect(ran.exit).toBe(0);
});
