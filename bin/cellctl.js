#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// From a checkout the sources run as they are; an image has only what was compiled from them.
const source = new URL('../src/cli/main.ts', import.meta.url);
const isCheckout = existsSync(fileURLToPath(source));
if (isCheckout) (await import('tsx/esm/api')).register();
const entry = isCheckout ? source : new URL('../dist/src/cli/main.js', import.meta.url);

// Whoever reads may have seen enough: `cellctl rollouts | head -1`.
process.stdout.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

/** @type {typeof import('../src/cli/main.js')} */
const { main } = await import(entry.href);
process.exitCode = await main(process.argv.slice(2));
