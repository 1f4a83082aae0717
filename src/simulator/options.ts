import { Command } from 'commander';
import type { Problem } from '../contract/problem.js';
import { REAL_DAY_MS, SHORTEST_DAY_MS } from './metrics/index.js';
import { InputError } from './problems.js';

/** The flags, read and checked. */
export interface Flags {
  topology: string;
  port: number;
  host: string;
  state: string | undefined;
  faults: string | undefined;
  seed: number;
  durationMs: number;
  spread: number;
  dayMs: number;
  /** Undefined: those of ring 0. */
  quiet: string[] | undefined;
  /** Undefined: the default; null: none. */
  initialVersion: string | null | undefined;
  token: string | undefined;
  cellsToken: string | undefined;
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `500ms`, `1.5s`, `2m`, `1h` or `0`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined;
}

/** The command with its flags; commander ends with its own errors for unknown flags. */
export function simulatorCommand(): Command {
  return new Command('simulator')
    .description('Simulates AMP and every cell of a topology')
    .option('--topology <file>', 'topology to simulate, YAML or JSON')
    .option('--port <n>', 'port to listen on; 0 picks a free one')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--state <file>', 'where state is kept, and read again at the start')
    .option('--faults <file>', 'faults in force from the start, YAML or JSON')
    .option('--seed <n>', 'seed of everything that is random', '1')
    .option('--duration <time>', 'median time of a job; 0 is instant', '1s')
    .option('--spread <sigma>', 'sigma of the lognormal job times; 1 is heavy-tailed', '0.3')
    .option('--day <time>', "what a day takes in the cells' metrics; shorter is faster", '24h')
    .option('--quiet <cells>', 'cells without traffic, by comma (default: those of ring 0)')
    .option('--initial-version <version>', 'what tenants run at first, or none')
    .option('--token <token>', 'bearer token that AMP asks for (default: AMP_TOKEN)')
    .option('--cells-token <token>', "token that the cells' own API asks for")
    .option('--print-openapi', "print the OpenAPI description of AMP's API and end")
    .allowExcessArguments(false);
}

/** Checks the flags that commander has read. Throws `InputError` naming each that is wrong. */
export function readFlags(raw: Record<string, string | undefined>, env: NodeJS.ProcessEnv): Flags {
  const problems: Problem[] = [];
  const check = <T>(flag: string, text: string | undefined, value: T | undefined, expected: string): T => {
    if (value === undefined) {
      problems.push({ path: flag, value: text === undefined ? 'nothing' : JSON.stringify(text), expected });
    }
    return value as T;
  };
  const version = raw.initialVersion;
  const flags: Flags = {
    topology: check('--topology', raw.topology, raw.topology || undefined, 'a file'),
    port: check('--port', raw.port, wholeNumber(raw.port, 65_535), 'a whole number from 0 to 65535'),
    host: check('--host', raw.host, raw.host || undefined, 'an address'),
    state: raw.state,
    faults: raw.faults,
    seed: check('--seed', raw.seed, wholeNumber(raw.seed, 2 ** 31), 'a whole number, 0 or more'),
    durationMs: check(
      '--duration',
      raw.duration,
      parseDuration(raw.duration ?? ''),
      'a duration such as 500ms, 1s or 0',
    ),
    spread: check('--spread', raw.spread, decimal(raw.spread, 5), 'a number from 0 to 5'),
    dayMs: check('--day', raw.day, dayOf(raw.day), `a duration from ${SHORTEST_DAY_MS / 1000}s to 24h`),
    quiet: raw.quiet?.split(',').filter((cell) => cell !== ''),
    initialVersion: version === 'none' ? null : version,
    token: raw.token ?? (env.AMP_TOKEN || undefined),
    cellsToken: raw.cellsToken,
  };
  if (version !== undefined && !/^\S+$/.test(version)) {
    check('--initial-version', version, undefined, 'a version without spaces, or none');
  }
  if (problems.length > 0) throw new InputError('simulator', problems);
  return flags;
}

function dayOf(text: string | undefined): number | undefined {
  const ms = parseDuration(text ?? '');
  return ms !== undefined && ms >= SHORTEST_DAY_MS && ms <= REAL_DAY_MS ? ms : undefined;
}

function wholeNumber(text: string | undefined, max: number): number | undefined {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

function decimal(text: string | undefined, max: number): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}
