import { expect, it } from 'vitest';
import { rollout, run, VERSION } from './harness.js';
import { rolloutStatus } from './statuses.js';

const rings = [{ ring: 2, version: VERSION, expectedAt: '2026-12-23T10:45:00Z' }];
const asked: unknown[] = [];
const forecast = async (ask: unknown) => {
  asked.push(ask);
  return { version: VERSION, rings };
};
const cluster = () => ({ forecast });
const status = (more = {}) => ({ ...rollout({ status: rolloutStatus(more) }), cluster });

it('a package’s status says by the cluster when each ring should converge', async () => {
  const { stdout } = await run(['status', VERSION, '--json'], status());
  expect(JSON.parse(stdout).expected).toEqual(rings);
  expect(asked).toEqual([{ version: VERSION }]);
  expect((await run(['status', VERSION], status())).stdout).toContain('ring 2 is expected to converge 10:45:00Z');
});

it('says nothing of it where the package has not graduated, is through, or no cluster answers', async () => {
  const before = { graduatedAt: null };
  const over = { finishedAt: '2026-12-23T10:10:00Z' };
  for (const cells of [status(before), status(over), rollout({ status: rolloutStatus() })]) {
    const { exit, stdout } = await run(['status', VERSION, '--json'], cells);
    expect([exit, JSON.parse(stdout).expected]).toEqual([0, undefined]);
  }
});
