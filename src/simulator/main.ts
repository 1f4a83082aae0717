import { CommanderError } from 'commander';
import { type Simulator, startSimulator } from './index.js';
import { ampOpenApi } from './openapi.js';
import { type Flags, readFlags, simulatorCommand } from './options.js';
import { InputError } from './problems.js';
import { readDocument } from './read-document.js';

const WRONG_USE = 2;
const NO_PROMETHEUS_NEEDED =
  'simulator: answers /api/v1/query and /api/v1/query_range itself, in the place of a Prometheus: computed, not scraped';

async function main(): Promise<void> {
  const raw = simulatorCommand().exitOverride().parse(process.argv).opts();
  if (raw.printOpenapi === true) {
    process.stdout.write(`${JSON.stringify(ampOpenApi(), null, 2)}\n`);
    return;
  }
  const flags = readFlags(raw, process.env);
  const simulator = await start(flags);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void simulator.close().then(() => process.exit(0)));
  }
  process.stdout.write(`${JSON.stringify({ listening: simulator.url })}\n`);
  process.stderr.write(`${NO_PROMETHEUS_NEEDED}\n`);
}

function start(flags: Flags): Promise<Simulator> {
  const { state, faults, token, cellsToken, initialVersion, quiet, ...rest } = flags;
  return startSimulator({
    ...rest,
    topology: readDocument(flags.topology),
    names: { topology: flags.topology, quiet: '--quiet', ...(faults !== undefined && { faults }) },
    ...(state !== undefined && { stateFile: state }),
    ...(faults !== undefined && { faults: readDocument(faults) }),
    ...(initialVersion !== undefined && { initialVersion }),
    ...(quiet !== undefined && { quiet }),
    ...(token !== undefined && { token }),
    ...(cellsToken !== undefined && { cellsToken }),
  });
}

function exitStatusOf(error: unknown): number {
  // Commander has said what was wrong already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
  if (error instanceof InputError) {
    process.stderr.write(`${error.message}\n`);
    return WRONG_USE;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  const isAddress = code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL' || code === 'EACCES';
  const hint = isAddress ? '; expected an address and port that are free' : '';
  process.stderr.write(`simulator: ${isAddress ? '--port, --host: ' : ''}${message}${hint}\n`);
  return isAddress ? WRONG_USE : 1;
}

main().catch((error: unknown) => {
  process.exitCode = exitStatusOf(error);
});
