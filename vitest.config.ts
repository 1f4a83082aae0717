import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/sequencer.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    // The SDK's native library does not live in worker threads.
    pool: 'forks',
    // A process reads the project and the SDK once for all of its files, and keeps its Temporal servers.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Most tests wait most of their time; many more at once than there are cores, and all of them are late.
    maxWorkers: availableParallelism() + 1,
    // A shared machine can be slow for a moment. What needed its second try is named in the output, and is still a fault.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
