import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    // The SDK's native library does not live in worker threads.
    pool: 'forks',
    // Two are as many as two cores bear: most files have a dozen rollouts under way at once.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() * 0.75)),
    // A shared machine can be slow for a moment. What needed its second try is named in the output, and is still a fault.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
