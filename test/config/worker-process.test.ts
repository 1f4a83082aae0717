import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { execa, type Options } from 'execa';
import getPort from 'get-port';
import { describe, expect, inject, it, vi } from 'vitest';
import { connectToTemporal, TemporalUnreachable } from '../../src/config/connect.js';

const root = join(import.meta.dirname, '../..');

/** The worker as `npm run worker` starts it, on this environment and nothing else of ours. */
function worker(env: Record<string, string>) {
  const options = {
    cwd: root,
    reject: false,
    env: { HOME: root, PATH: process.env.PATH ?? '', ...env },
  } satisfies Options;
  return execa(process.execPath, ['--import', 'tsx', 'worker/main.ts'], { ...options, extendEnv: false });
}

const good = () => ({ TEMPORAL_ADDRESS: inject('temporalAddress'), AMP_URL: 'http://127.0.0.1:9', LEDGER_URL: 'off' });

describe('the worker process', () => {
  it('ends with status 2 and a line for each variable that is wrong', async () => {
    const { exitCode, stderr, stdout } = await worker({ TEMPORAL_ADDRESS: 'nowhere', LOG_LEVEL: 'loud' });
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/AMP_URL: \(not set\); expected an http or https URL/);
    expect(stderr).toMatch(/TEMPORAL_ADDRESS: "nowhere"; expected host:port/);
    expect(stderr).toMatch(/LOG_LEVEL: "loud"; expected one of/);
  });

  it('ends with status 2 where the search attributes are missing, and says what registers them', async () => {
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    const namespace = 'without-attributes';
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await vi.waitFor(() => connection.operatorService.listSearchAttributes({ namespace }), { timeout: 20_000 });
    await connection.close();
    const { exitCode, stderr } = await worker({ ...good(), TEMPORAL_NAMESPACE: namespace });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/CellsVersion, CellsRing, CellsCell, CellsState.*cellctl server setup/);
  });

  it('ends with status 2 where there is no such namespace', async () => {
    const { exitCode, stderr } = await worker({ ...good(), TEMPORAL_NAMESPACE: 'nobody' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('TEMPORAL_NAMESPACE: there is no namespace nobody');
  });

  it('ends with status 2 where its metrics address is taken', async () => {
    const { exitCode, stderr } = await worker({ ...good(), METRICS_ADDRESS: inject('temporalAddress') });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('METRICS_ADDRESS');
  });

  it('runs, serves metrics by the names of the documentation, and ends with status 0 on SIGTERM', async ({ skip }) => {
    if (inject('bundlePath') === '') skip('there are no workflows yet');
    const metrics = `127.0.0.1:${await getPort()}`;
    const running = worker({ ...good(), CELLS_TASK_QUEUE: 'process-test', METRICS_ADDRESS: metrics });
    const names = ['temporal_worker_start_total', 'temporal_request_latency_seconds_bucket'];
    await vi.waitFor(
      async () => {
        const page = await (await fetch(`http://${metrics}/metrics`)).text();
        for (const name of names) expect(page).toContain(name);
      },
      { timeout: 50_000, interval: 250 },
    );
    running.kill('SIGTERM');
    const { exitCode, stderr } = await running;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('worker has stopped');
  });
});

describe('the wait for Temporal', () => {
  it('is over when patience is, after saying so before each further try', async () => {
    const address = `127.0.0.1:${await getPort()}`;
    const config = { address, namespace: 'default', connectionOptions: { address } };
    const lines: string[] = [];
    const waiting = connectToTemporal(config, { patienceMs: 2500, log: (line) => lines.push(line) });
    await expect(waiting).rejects.toThrow(TemporalUnreachable);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toContain(`Temporal at ${address} cannot be reached yet`);
  });
});
