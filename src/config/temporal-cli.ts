import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import envPaths from 'env-paths';
import { type ExecaError, execa } from 'execa';

export const TEMPORAL_CLI_VERSION = '1.5.1';

const EXE = process.platform === 'win32' ? '.exe' : '';
const GO_MODULE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;
const PROBE_TIMEOUT_MS = 20_000;
// A firewall that swallows packets must not hold up the next step for longer than a slow line needs for 100 MB.
const DOWNLOAD_TIMEOUT_MS = 120_000;
const BUILD_TIMEOUT_MS = 20 * 60_000;

export type Environment = Record<string, string | undefined>;

export interface ResolveOptions {
  env: Environment;
  /** Takes one line for a person: only the steps that take long say something. */
  log?: (line: string) => void;
  /** Where a fetched binary is kept; the user's cache directory by default. */
  cacheDir?: string;
  /** Puts a `temporal` binary into an empty folder and answers its path; the SDK's own download by default. */
  download?: (folder: string, env: Environment) => Promise<string>;
}

export interface FailedStep {
  step: string;
  reason: string;
}

/** No usable `temporal` binary: says what was tried, why each try failed, and what to do. */
export class TemporalCliError extends Error {
  override name = 'TemporalCliError';
  constructor(readonly failed: FailedStep[]) {
    super(
      [
        'There is no `temporal` command, version 1.5 or newer:',
        ...failed.map(({ step, reason }) => `  - ${step}: ${reason}`),
        'Install it (https://docs.temporal.io/cli/setup-cli) or Go (https://go.dev/dl), or set TEMPORAL_CLI to its path.',
      ].join('\n'),
    );
  }
}

/**
 * Path of a `temporal` binary that starts and is new enough: `TEMPORAL_CLI`, then PATH and Go's own folders, then our
 * cache, then the SDK's download, then `go install`. Throws `TemporalCliError` when there is none; a `TEMPORAL_CLI`
 * that does not work is an error at once, because somebody meant that one.
 */
export async function resolveTemporalCli(options: ResolveOptions): Promise<string> {
  const { env, log = () => {} } = options;
  const cacheDir = options.cacheDir ?? envPaths('cell-cluster-coordinator', { suffix: '' }).cache;
  const cached = join(cacheDir, `temporal-${TEMPORAL_CLI_VERSION}${EXE}`);
  const failed: FailedStep[] = [];

  if (env.TEMPORAL_CLI) {
    const problem = await problemOf(env.TEMPORAL_CLI, env);
    if (problem === null) return env.TEMPORAL_CLI;
    throw new TemporalCliError([{ step: 'TEMPORAL_CLI', reason: problem }]);
  }

  const steps: [string, () => Promise<string>][] = [
    ['PATH', () => findOnPath(env)],
    ['cache', () => usable(cached, env)],
    ['download', () => fetchInto(cached, env, (folder) => download(options, folder, log))],
    ['go install', () => fetchInto(cached, env, (folder) => goInstall(folder, env, log))],
  ];
  for (const [step, run] of steps) {
    try {
      return await run();
    } catch (error) {
      failed.push({ step, reason: reasonOf(error) });
    }
  }
  throw new TemporalCliError(failed);
}

async function findOnPath(env: Environment): Promise<string> {
  const folders = [...(env.PATH ?? '').split(delimiter), ...(await goFolders(env))].filter((folder) => folder !== '');
  const problems: string[] = [];
  for (const folder of new Set(folders)) {
    const path = join(folder, `temporal${EXE}`);
    if (!(await isExecutable(path))) continue;
    const problem = await problemOf(path, env);
    if (problem === null) return path;
    problems.push(problem);
  }
  throw new Error(problems.join('; ') || 'no `temporal` on it, nor where Go installs commands');
}

/** Where `go install` puts commands; people often do not have it on their PATH. */
async function goFolders(env: Environment): Promise<string[]> {
  const fallback = env.HOME ? [join(env.HOME, 'go', 'bin')] : [];
  try {
    const { stdout } = await run('go', ['env', 'GOBIN', 'GOPATH'], env, { timeoutMs: PROBE_TIMEOUT_MS });
    const [gobin = '', gopath = ''] = stdout.split(/\r?\n/);
    return [gobin, ...gopath.split(delimiter).map((folder) => folder && join(folder, 'bin')), ...fallback];
  } catch {
    return fallback;
  }
}

/**
 * Lets `fill` make a binary in a folder of its own and moves it into place in one step: two processes that do this at
 * the same time each replace a whole file by another whole file.
 */
async function fetchInto(target: string, env: Environment, fill: (folder: string) => Promise<string>): Promise<string> {
  const folder = `${target}.${process.pid}.${randomUUID().slice(0, 8)}`;
  await mkdir(folder, { recursive: true });
  try {
    await rename(await usable(await fill(folder), env), target);
    return target;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function download(options: ResolveOptions, folder: string, log: (line: string) => void): Promise<string> {
  log(`Downloading the temporal command ${TEMPORAL_CLI_VERSION} …`);
  return (options.download ?? downloadBySdk)(folder, options.env);
}

/** In a process of its own: the SDK's download also starts a server, and a runtime that could not be configured again. */
async function downloadBySdk(folder: string, env: Environment): Promise<string> {
  const sdk = createRequire(import.meta.url).resolve('@temporalio/testing');
  const script = fileURLToPath(new URL('./download-temporal.cjs', import.meta.url));
  await run(process.execPath, [script, sdk, folder, `v${TEMPORAL_CLI_VERSION}`], env, {
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
  });
  return join(folder, `temporal-v${TEMPORAL_CLI_VERSION}${EXE}`);
}

async function goInstall(folder: string, env: Environment, log: (line: string) => void): Promise<string> {
  await run('go', ['version'], env, { timeoutMs: PROBE_TIMEOUT_MS });
  log(`Building the temporal command ${TEMPORAL_CLI_VERSION} with Go; once, and it takes about three minutes …`);
  await run('go', ['install', GO_MODULE], { ...env, GOBIN: folder }, { timeoutMs: BUILD_TIMEOUT_MS, cwd: folder });
  return join(folder, `temporal${EXE}`);
}

async function usable(path: string, env: Environment): Promise<string> {
  const problem = await problemOf(path, env);
  if (problem !== null) throw new Error(problem);
  return path;
}

/** Null where the binary starts and is new enough, else what is wrong with it. */
async function problemOf(path: string, env: Environment): Promise<string | null> {
  if (!(await isExecutable(path))) return `${path} is not an executable file`;
  try {
    const { stdout } = await run(path, ['--version'], env, { timeoutMs: PROBE_TIMEOUT_MS });
    return isNewEnough(stdout) ? null : `${path} is too old or something else (${stdout.trim().slice(0, 80)})`;
  } catch (error) {
    return `${path} does not start: ${reasonOf(error)}`;
  }
}

/** A binary built by `go install` calls itself 0.0.0-DEV; then the server inside tells, 1.29 being that of CLI 1.5. */
function isNewEnough(output: string): boolean {
  const cli = /temporal version v?(\d+)\.(\d+)/.exec(output);
  if (!cli) return false;
  if (cli[1] !== '0') return atLeast(cli, 1, 5);
  return atLeast(/Server v?(\d+)\.(\d+)/.exec(output), 1, 29);
}

function atLeast(found: RegExpExecArray | null, major: number, minor: number): boolean {
  if (!found) return false;
  return Number(found[1]) > major || (Number(found[1]) === major && Number(found[2]) >= minor);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function run(file: string, args: string[], env: Environment, { timeoutMs, cwd }: { timeoutMs: number; cwd?: string }) {
  return execa(file, args, { env, extendEnv: false, timeout: timeoutMs, stdin: 'ignore', ...(cwd ? { cwd } : {}) });
}

/** One line: a failed command is told by the last thing it wrote. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, stderr, shortMessage, timedOut } = error as Partial<ExecaError>;
  if (code === 'ENOENT' && shortMessage) return `there is no \`${(error as ExecaError).command.split(' ')[0]}\``;
  const last = typeof stderr === 'string' ? stderr.trim().split('\n').at(-1) : '';
  return (!timedOut && last) || shortMessage || error.message;
}
