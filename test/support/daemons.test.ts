import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { startAlertmanager } from './alertmanager.js';
import { type Daemon, startDaemon } from './daemon.js';
import { describeWith } from './installed.js';
import { startPrometheus } from './prometheus.js';

const opened: Daemon[] = [];
const open = async <T extends Daemon>(starting: Promise<T>): Promise<T> => {
  const daemon = await starting;
  opened.push(daemon);
  return daemon;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((daemon) => daemon.stop()));
});

async function until<T>(look: () => Promise<T>, isEnough: (seen: T) => boolean): Promise<T> {
  for (const end = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const seen = await look();
    if (isEnough(seen)) return seen;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(seen)}`);
  }
}

test('a daemon that is not installed, or does not start, says what is the matter, and leaves nothing behind', async () => {
  const folders: string[] = [];
  const start = (command: string, words: string[]) => {
    const args = (folder: string) => {
      folders.push(folder);
      return words;
    };
    return startDaemon({ command, args, files: { 'a.yml': '' }, readyPath: '/' });
  };
  await expect(start('not-installed', [])).rejects.toThrow(/not-installed.*\n.*ENOENT/);
  const sulks = start(process.execPath, ['-e', 'throw new Error("sulks")']);
  await expect(sulks).rejects.toThrow(/ended before it was ready[\s\S]*sulks/);
  expect(folders.map((folder) => existsSync(folder))).toEqual([false, false]);
});

const ping = async (url: string) => (await fetch(`${url}/-/ready`)).status;

describeWith('prometheus')('a Prometheus of our own', () => {
  test('is killed, and comes back at the same address with what it had', async () => {
    const prometheus = await open(startPrometheus({ scrapes: [{ simulator: 'http://127.0.0.1:1', cells: ['gone'] }] }));
    const seen = async () => {
      const query = encodeURIComponent('count_over_time(up{instance="gone"}[1h])');
      const { data } = (await (await fetch(`${prometheus.url}/api/v1/query?query=${query}`)).json()) as {
        data: { result: { value: [number, string] }[] };
      };
      return Number(data.result[0]?.value[1] ?? 0);
    };
    await until(seen, (count) => count >= 2);
    await prometheus.kill();
    await expect(ping(prometheus.url)).rejects.toThrow('fetch failed');
    await prometheus.startAgain();
    expect(await seen()).toBeGreaterThanOrEqual(2);
    await prometheus.stop();
    await expect(ping(prometheus.url)).rejects.toThrow('fetch failed');
  });

  test('ends with the process that started it, and leaves nothing behind', async () => {
    const module = JSON.stringify(new URL('./prometheus.ts', import.meta.url).href);
    const script = `
      const { startPrometheus } = await import(${module});
      const { url } = await startPrometheus({ scrapes: [] });
      const { data } = await (await fetch(url + '/api/v1/status/flags')).json();
      console.log(JSON.stringify({ url, config: data['config.file'] }));
    `;
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd });
    const tooSoon = once(parent, 'exit').then(() => Promise.reject(new Error('it ended before it served')));
    const [line] = (await Promise.race([once(parent.stdout, 'data'), tooSoon])) as [Buffer];
    const { url, config } = JSON.parse(String(line)) as { url: string; config: string };
    expect(await ping(url)).toBe(200);
    expect(existsSync(config)).toBe(true);
    parent.kill('SIGKILL');
    await until(
      () => ping(url).catch(() => 'gone'),
      (seen) => seen === 'gone',
    );
    await until(
      async () => existsSync(config),
      (isThere) => !isThere,
    );
  });
});

describeWith('prometheus-alertmanager')('an Alertmanager of our own', () => {
  test('shows an alert that fires, and no longer once it is resolved', async () => {
    const alertmanager = await open(startAlertmanager());
    const labels = { alertname: 'RingHalted', ring: '2' };
    const tell = async (more: object) => {
      const body = JSON.stringify([{ labels, annotations: { summary: 'ring 2 halted' }, ...more }]);
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${alertmanager.url}/api/v2/alerts`, { method: 'POST', headers, body });
      expect(response.status).toBe(200);
    };
    expect(await alertmanager.alerts()).toEqual([]);
    await tell({});
    expect(await until(alertmanager.alerts, (alerts) => alerts.length > 0)).toMatchObject([
      { labels, annotations: { summary: 'ring 2 halted' } },
    ]);
    await tell({ endsAt: new Date().toISOString() });
    await until(alertmanager.alerts, (alerts) => alerts.length === 0);
  });
});
