import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { describe } from 'vitest';

/** A real Prometheus or Alertmanager of this test's own, on a free port of this machine. */
export interface Monitor {
  url: string;
  kill(): Promise<void>;
  /** Serves again on the same port and data. */
  restart(): Promise<void>;
  /** Kills it and removes what it left. */
  stop(): Promise<void>;
}

const isInstalled = (program: string): boolean => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** A suite that needs these programs: where one is missing it fails in CI, and is skipped aloud anywhere else. */
export function describeWith(programs: readonly string[], name: string, suite: () => void): void {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) {
    describe(name, suite);
    return;
  }
  const words = `${missing.join(', ')} not installed: apt-get install prometheus prometheus-alertmanager`;
  if (process.env.CI) throw new Error(words);
  process.stderr.write(`SKIPPED: ${name}: ${words}\n`);
  describe.skip(`${name} (${words})`, suite);
}

/** A sample of a gauge: name with labels, value, epoch ms. */
export type Sampled = readonly [series: string, value: number, atMs: number];

/** Prometheus with these samples in its past; it scrapes nothing but what `config` says. */
export async function startPrometheus(
  options: { samples?: readonly Sampled[]; config?: string } = {},
): Promise<Monitor> {
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  await writeFile(join(folder, 'prometheus.yml'), options.config ?? 'global: {}\n');
  if (options.samples) {
    await writeFile(join(folder, 'samples'), openMetrics(options.samples));
    const blocks = ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'samples'), join(folder, 'data')];
    execFileSync('promtool', blocks, { stdio: 'ignore' });
  }
  const paths = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`];
  return startMonitor('prometheus', folder, (address) => [...paths, `--web.listen-address=${address}`]);
}

export async function startAlertmanager(config: string): Promise<Monitor> {
  const folder = await mkdtemp(join(tmpdir(), 'alertmanager-'));
  await writeFile(join(folder, 'alertmanager.yml'), config);
  const paths = [`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${join(folder, 'data')}`];
  const flags = (address: string) => [...paths, `--web.listen-address=${address}`, '--cluster.listen-address='];
  return startMonitor('prometheus-alertmanager', folder, flags);
}

function openMetrics(samples: readonly Sampled[]): string {
  const byName = new Map<string, Sampled[]>();
  for (const sample of samples) {
    const name = sample[0].split('{')[0] ?? '';
    const family = byName.get(name) ?? [];
    family.push(sample);
    byName.set(name, family);
  }
  const families = [...byName].map(([name, all]) => {
    const lines = all.map(([series, value, atMs]) => `${series} ${value} ${atMs / 1000}`);
    return [`# TYPE ${name} gauge`, ...lines].join('\n');
  });
  return `${families.join('\n')}\n# EOF\n`;
}

async function startMonitor(program: string, folder: string, flags: (address: string) => string[]): Promise<Monitor> {
  const address = `127.0.0.1:${await getPort({ host: '127.0.0.1' })}`;
  const url = `http://${address}`;
  let child: ChildProcess;
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const restart = async () => {
    child = spawn(program, flags(address), { stdio: ['ignore', 'ignore', 'pipe'] });
    const orphaned = child;
    process.once('exit', () => orphaned.kill('SIGKILL'));
    await ready(program, url, child);
  };
  await restart();
  const stop = async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  return { url, kill, restart, stop };
}

const START_MS = 30_000;

async function ready(program: string, url: string, child: ChildProcess): Promise<void> {
  const output: string[] = [];
  child.stderr?.on('data', (chunk) => output.push(String(chunk)));
  for (const sinceMs = Date.now(); Date.now() - sinceMs < START_MS; ) {
    if (child.exitCode !== null) break;
    const answer = await fetch(`${url}/-/ready`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${program} does not serve:\n${output.join('').slice(-2_000)}`);
}
