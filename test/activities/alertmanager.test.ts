import { afterAll, beforeAll, expect, it } from 'vitest';
import { alertmanagerOverHttp } from '../../activities/alertmanager-http.js';
import { createRaiseAlert } from '../../activities/alerts.js';
import type { Activities, Alert } from '../../src/contract/activities.js';
import { type Alertmanager, startAlertmanager } from '../support/alertmanager.js';
import { describeWith } from '../support/installed.js';
import { silentLog } from './environment.js';
import { FakeHttp } from './fake-http.js';

/** What a receiver is told. */
interface Notice {
  alerts: { status: 'firing' | 'resolved'; labels: Record<string, string>; endsAt: string }[];
}

const STARTED = new Date(Date.now() - 60_000).toISOString();

const alert = (cell: string, changes: Partial<Alert> = {}): Alert => ({
  name: 'CellRolledBack',
  severity: 's2',
  cluster: 'prod',
  ring: 3,
  cell,
  version: '17.10.202503180906-6a387d336a7.c1c3e017782',
  team: 'outer',
  summary: `${cell} was rolled back: errors at 4 %`,
  evidence: ['errors at 4 %, allowed is 0.05 %'],
  next: ['cellctl status'],
  startedAtMs: Date.parse(STARTED),
  ...changes,
});

describeWith('prometheus-alertmanager')('a real Alertmanager', () => {
  let receiver: FakeHttp;
  let alertmanager: Alertmanager;
  let raise: Activities['raiseAlert'];

  beforeAll(async () => {
    receiver = await FakeHttp.start(() => ({}));
    const route = {
      receiver: 'hook',
      group_by: ['...'],
      group_wait: '50ms',
      group_interval: '1s',
      repeat_interval: '1h',
    };
    const receivers = [{ name: 'hook', webhook_configs: [{ url: receiver.url, send_resolved: true }] }];
    alertmanager = await startAlertmanager({ route, receivers });
    raise = createRaiseAlert({ log: silentLog, alertmanager: alertmanagerOverHttp({ url: alertmanager.url }) });
  });
  afterAll(async () => {
    await alertmanager.stop();
    await receiver.stop();
  });

  const shown = async (cell: string) => (await alertmanager.alerts()).filter(({ labels }) => labels.cell === cell);

  const noticesOf = (cell: string) =>
    receiver.heard
      .flatMap(({ body }) => (JSON.parse(body) as Notice).alerts)
      .filter(({ labels }) => labels.cell === cell)
      .map(({ status }) => status);

  it('shows an alert that was raised, and that it is over once that was said', async () => {
    await raise(alert('cell-1'));
    expect(await shown('cell-1')).toMatchObject([
      {
        labels: { alertname: 'CellRolledBack', severity: 's2', cluster: 'prod', ring: '3', team: 'ops' },
        annotations: { summary: 'cell-1 was rolled back: errors at 4 %', next: 'cellctl status' },
        startsAt: STARTED,
      },
    ]);
    await expect.poll(() => noticesOf('cell-1'), { timeout: 10_000 }).toEqual(['firing']);
    await raise(alert('cell-1', { resolved: true }));
    expect(await shown('cell-1')).toEqual([]);
    await expect.poll(() => noticesOf('cell-1'), { timeout: 10_000 }).toEqual(['firing', 'resolved']);
  });

  it('takes what is raised twice for one alert, and tells of it once', async () => {
    await raise(alert('cell-2'));
    const [first] = await shown('cell-2');
    await raise(alert('cell-2', { summary: 'in other words' }));
    const again = await shown('cell-2');
    expect(again).toHaveLength(1);
    expect(again[0]).toMatchObject({ fingerprint: first?.fingerprint, startsAt: STARTED });
    expect(again[0]?.annotations.summary).toBe('in other words');
    await expect.poll(() => noticesOf('cell-2'), { timeout: 10_000 }).toEqual(['firing']);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(noticesOf('cell-2')).toEqual(['firing']);
  });

  it('shows it again where its cause comes back', async () => {
    await raise(alert('cell-3'));
    await raise(alert('cell-3', { resolved: true }));
    expect(await shown('cell-3')).toEqual([]);
    await raise(alert('cell-3', { startedAtMs: Date.now() }));
    expect(await shown('cell-3')).toHaveLength(1);
  });

  it('keeps two causes apart', async () => {
    await raise(alert('cell-4'));
    await raise(alert('cell-4', { name: 'CellRollbackFailed', severity: 's1' }));
    await raise(alert('cell-4', { resolved: true }));
    expect((await shown('cell-4')).map(({ labels }) => labels.alertname)).toEqual(['CellRollbackFailed']);
  });

  it('shows it to both teams, where both are to know', async () => {
    await raise(alert('cell-5', { team: 'both' }));
    expect((await shown('cell-5')).map(({ labels }) => labels.team).sort()).toEqual(['ops', 'release-managers']);
    await raise(alert('cell-5', { team: 'both', resolved: true }));
    expect(await shown('cell-5')).toEqual([]);
  });

  it('takes whatever text there may be', async () => {
    const odd = 'a\u0000 "b" \\ \n {c}=d \u2028 \ud800 é 🚀';
    await raise(alert(odd, { summary: odd, evidence: [odd], next: [odd], version: '' }));
    expect((await alertmanager.alerts()).map(({ labels }) => labels.cell)).toContain('a "b" \\ {c}=d \ufffd é 🚀');
  });

  it('takes the end of an alert that it never knew', async () => {
    await raise(alert('cell-6', { resolved: true }));
    expect(await shown('cell-6')).toEqual([]);
  });

  it('that is down delays nobody for long, and shows the alert once it is back', async () => {
    await raise(alert('cell-7'));
    await alertmanager.kill();
    const sinceMs = Date.now();
    await raise(alert('cell-8'));
    expect(Date.now() - sinceMs).toBeLessThan(6_000);
    await alertmanager.startAgain();
    await expect.poll(() => shown('cell-8'), { timeout: 30_000 }).toHaveLength(1);
    // It keeps no alerts over a restart: who knows that the cause lasts raises it again.
    expect(await shown('cell-7')).toEqual([]);
    await raise(alert('cell-7'));
    expect(await shown('cell-7')).toHaveLength(1);
  });
});
