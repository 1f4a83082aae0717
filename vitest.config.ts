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
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
