import { expect, it } from 'vitest';
import { startChild } from '../../bench/support/child.js';

const { HOME = '', PATH = '' } = process.env;
const worker = { name: 'worker', script: 'worker/main.ts' };

it('says at once, with its last words, that a process has ended before it was ready', async () => {
  const starting = startChild({ ...worker, env: { HOME, PATH, AMP_URL: 'nowhere' }, ready: () => null });
  await expect(starting).rejects.toThrow(/The worker did not start:\n.*AMP_URL/s);
});
