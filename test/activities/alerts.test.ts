import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_ALERTING, toPost } from '../../activities/alert-content.js';
import { AlertOutbox, type OutboxOptions } from '../../activities/alert-outbox.js';
import { alertmanagerOverHttp } from '../../activities/alertmanager-http.js';
import { createRaiseAlert } from '../../activities/alerts.js';
import type { PostableAlert } from '../../activities/ports.js';
import type { Alert } from '../../src/contract/activities.js';
import { attempt, silentLog, until } from './environment.js';
import { FakeHttp, type Reply } from './fake-http.js';

const HOUR = 3_600_000;
const ALERT: Alert = {
  name: 'RingHalted',
  severity: 's2',
  cluster: 'prod',
  ring: 3,
  version: '17.10.202503180906-6a387d336a7.c1c3e017782',
  team: 'outer',
  summary: 'ring 3 halted: 2 cells failed',
  evidence: ['errors of cell-8 at 4 %', 'allowed is 0.05 %'],
  next: ['cellctl status', 'cellctl retry --ring 3'],
  startedAtMs: Date.parse('2025-03-18T09:06:00Z'),
};
const of = (cell: string, changes: Partial<Alert> = {}): Alert => ({
  ...ALERT,
  name: 'CellRolledBack',
  cell,
  ...changes,
});

let server: FakeHttp;
let reply: Reply;
let lines: { level: string; text: string; alert: Alert | undefined }[];

beforeEach(async () => {
  reply = {};
  server = await FakeHttp.start(() => reply);
  lines = [];
});
afterEach(() => server.stop());

const keep = (level: string) => (fields: object, text: string) => {
  lines.push({ level, text, alert: (fields as { alert?: Alert }).alert });
};
const log = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };

const posts = (): PostableAlert[][] => server.heard.map(({ body }) => JSON.parse(body) as PostableAlert[]);
const posted = (): PostableAlert[] => posts().flat();
const texts = (level: string) => lines.filter((line) => line.level === level).map(({ text }) => text);

const raiser = () => createRaiseAlert({ log, alertmanager: alertmanagerOverHttp({ url: server.url }) });

function outbox(changes: Partial<OutboxOptions> = {}): AlertOutbox {
  return new AlertOutbox({
    alertmanager: alertmanagerOverHttp({ url: server.url, timeoutMs: 15_000 }),
    alerting: DEFAULT_ALERTING,
    log,
    patience: { firstPauseMs: 20, maxPauseMs: 50 },
    waitMs: 400,
    ...changes,
  });
}

describe('an alert', () => {
  it('reaches Alertmanager with labels to route by, and annotations to act by', async () => {
    const beforeMs = Date.now();
    await raiser()(ALERT);
    expect(server.heard[0]).toMatchObject({ method: 'POST', path: '/api/v2/alerts' });
    const [one, ...others] = posted();
    expect(others).toEqual([]);
    expect(one).toEqual({
      labels: {
        alertname: 'RingHalted',
        severity: 's2',
        cluster: 'prod',
        ring: '3',
        package: ALERT.version,
        team: 'ops',
      },
      annotations: {
        summary: 'ring 3 halted: 2 cells failed',
        evidence: 'errors of cell-8 at 4 %\nallowed is 0.05 %',
        runbook_url: 'docs/runbooks.md#ringhalted',
        next: 'cellctl status\ncellctl retry --ring 3',
      },
      startsAt: '2025-03-18T09:06:00.000Z',
      endsAt: expect.any(String),
    });
    expect(Date.parse(one?.endsAt ?? '')).toBeGreaterThanOrEqual(beforeMs + 24 * HOUR);
    expect(texts('info')).toEqual(['alert RingHalted: ring 3 halted: 2 cells failed']);
  });

  it.each([
    ['perimeter', ['release-managers']],
    ['outer', ['ops']],
    ['both', ['release-managers', 'ops']],
    [undefined, ['release-managers', 'ops']],
  ] as const)('for %s goes to %s', async (team, names) => {
    const { team: _, ...alert } = ALERT;
    await raiser()(team ? { ...alert, team } : alert);
    expect(posted().map(({ labels }) => labels.team)).toEqual(names);
  });

  it('goes once where both teams are one, and names the runbooks of this installation', async () => {
    const alerting = { teams: { perimeter: 'us', outer: 'us' }, runbookUrl: 'https://git.example.com/runbooks.md' };
    const alertmanager = alertmanagerOverHttp({ url: server.url });
    await createRaiseAlert({ log, alertmanager, alerting })({ ...ALERT, team: 'both' });
    expect(posted()).toMatchObject([
      { labels: { team: 'us' }, annotations: { runbook_url: 'https://git.example.com/runbooks.md#ringhalted' } },
    ]);
    await createRaiseAlert({ log, alertmanager, alerting })({ ...ALERT, runbookUrl: 'https://x.example.com/' });
    expect(posted()[1]?.annotations.runbook_url).toBe('https://x.example.com/');
  });

  it('that is over ends when that was said, and begins when it began', async () => {
    const beforeMs = Date.now();
    await raiser()({ ...ALERT, resolved: true });
    const [one] = posted();
    expect(one?.startsAt).toBe('2025-03-18T09:06:00.000Z');
    expect(Date.parse(one?.endsAt ?? '')).toBeLessThanOrEqual(Date.now());
    expect(Date.parse(one?.endsAt ?? '')).toBeGreaterThanOrEqual(beforeMs);
    expect(texts('info')).toEqual(['alert RingHalted is over: ring 3 halted: 2 cells failed']);
  });

  it('that is over, whose beginning is not known, or lies in the future, has none', async () => {
    const { startedAtMs: _, ...alert } = ALERT;
    await raiser()({ ...alert, resolved: true });
    await raiser()({ ...alert, startedAtMs: Date.now() + HOUR, resolved: true });
    expect(posted().map((one) => 'startsAt' in one)).toEqual([false, false]);
  });

  it('raised again by another attempt is the same to the letter, but for its end', async () => {
    const { startedAtMs: _, ...alert } = ALERT;
    const scheduledTimestampMs = Date.parse('2025-03-18T09:07:00Z');
    const raise = raiser();
    await attempt({ scheduledTimestampMs, attempt: 1 }).run(raise, alert);
    await attempt({ scheduledTimestampMs, attempt: 2 }).run(raise, alert);
    const [first, second] = posted().map(({ endsAt: _, ...rest }) => rest);
    expect(first).toEqual(second);
    expect(first?.startsAt).toBe('2025-03-18T09:07:00.000Z');
  });

  it('keeps its labels to one short line each, and its texts to a size', async () => {
    const odd = 'a\u0000b\n\u2028c "quoted" \ud800 '.padEnd(500, '🚀');
    await raiser()({ ...ALERT, cell: odd, summary: 'x'.repeat(5_000), evidence: ['y'.repeat(9_000)], next: [] });
    const [{ labels = {}, annotations = {} } = {}] = posted();
    expect(labels.cell).toMatch(/^a b c "quoted" \ufffd 🚀+…$/u);
    expect([...(labels.cell ?? '')]).toHaveLength(128);
    expect(annotations.summary).toHaveLength(1_000);
    expect(annotations.evidence).toHaveLength(4_000);
    expect(Object.keys(annotations)).not.toContain('next');
  });

  it('about a brake names it, so that two brakes are two alerts', async () => {
    const raise = raiser();
    const brakes = ['inc-1', 'inc-2'].map((brake): Alert => ({ ...ALERT, name: 'BrakeEngaged', brake }));
    await Promise.all(brakes.map((brake) => raise(brake)));
    expect(posted().map(({ labels }) => labels.brake)).toEqual(['inc-1', 'inc-2']);
  });

  it('has no label where there is nothing to say', async () => {
    await raiser()({ name: 'QueueStands', severity: 's3', cluster: 'prod', team: 'outer', summary: 'x', next: [] });
    expect(posted()[0]?.labels).toEqual({ alertname: 'QueueStands', severity: 's3', cluster: 'prod', team: 'ops' });
  });
});

describe('without an Alertmanager', () => {
  it('an alert is logged at warn, with all its content', async () => {
    const raise = createRaiseAlert({ log });
    await raise({ ...ALERT, team: 'both' });
    await raise({ ...ALERT, resolved: true });
    const more = { teams: ['release-managers', 'ops'], runbookUrl: 'docs/runbooks.md#ringhalted' };
    expect(lines).toEqual([
      {
        level: 'warn',
        text: 'alert RingHalted: ring 3 halted: 2 cells failed',
        alert: { ...ALERT, team: 'both', ...more },
      },
      {
        level: 'warn',
        text: 'alert RingHalted is over: ring 3 halted: 2 cells failed',
        alert: { ...ALERT, resolved: true, ...more, teams: ['ops'] },
      },
    ]);
  });

  it('a log that cannot be written to is no reason to fail', async () => {
    const broken = () => {
      throw new Error('disk full');
    };
    const logs = { ...silentLog, info: broken, warn: broken, error: broken };
    await createRaiseAlert({ log: logs })(ALERT);
    reply = { status: 500 };
    const box = outbox({ log: logs });
    await box.send(ALERT, Date.now());
    reply = {};
    await until(() => posts().length > 1);
  });
});

describe('an Alertmanager in trouble', () => {
  it.each<[string, Reply]>([
    ['hangs', 'hang'],
    ['cuts connections', 'drop'],
    ['answers 503', { status: 503 }],
    ['refuses the token', { status: 401 }],
  ])('that %s delays nobody for long; the alert is logged, and delivered later', async (_, trouble) => {
    reply = trouble;
    const box = outbox({ alertmanager: alertmanagerOverHttp({ url: server.url, timeoutMs: 100 }) });
    const sinceMs = Date.now();
    await box.send(ALERT, sinceMs);
    expect(Date.now() - sinceMs).toBeLessThan(2_000);
    expect(texts('warn')).toEqual([
      expect.stringContaining('ring 3 halted: 2 cells failed (it is not delivered yet: '),
    ]);
    expect(lines[0]?.alert).toEqual(ALERT);
    reply = {};
    const before = server.heard.length;
    await until(() => server.heard.length > before);
    expect(posted().at(-1)?.labels.alertname).toBe('RingHalted');
    expect(texts('error')).toEqual([]);
  });

  it('delays nobody at all once it is known to be away', async () => {
    reply = 'drop';
    const box = outbox({ waitMs: 60_000, patience: { firstPauseMs: 300, maxPauseMs: 300 } });
    void box.send(of('cell-1'), Date.now());
    await until(() => texts('warn').length === 1);
    await Promise.all(['cell-2', 'cell-3'].map((cell) => box.send(of(cell), Date.now())));
    reply = {};
    await until(() => posts().some((post) => post.length === 3));
    expect(new Set(posted().map(({ labels }) => labels.cell))).toEqual(new Set(['cell-1', 'cell-2', 'cell-3']));
  });

  it('is told nothing any more of what is over: the newer word goes before the older', async () => {
    reply = 'drop';
    const box = outbox();
    await box.send(ALERT, Date.now());
    void box.send({ ...ALERT, resolved: true }, Date.now());
    reply = {};
    await until(() => Date.parse(posted().at(-1)?.endsAt ?? '') <= Date.now());
    const count = server.heard.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.heard).toHaveLength(count);
  });

  it('hears what is said of one alert in the order in which it was said', async () => {
    const box = outbox({ waitMs: 15_000 });
    await Promise.all([
      box.send(ALERT, Date.now()),
      box.send(of('cell-1'), Date.now()),
      box.send({ ...ALERT, resolved: true }, Date.now()),
    ]);
    const ours = posted().filter(({ labels }) => labels.alertname === 'RingHalted');
    expect(Date.parse(ours.at(-1)?.endsAt ?? '')).toBeLessThanOrEqual(Date.now());
    expect(posted().some(({ labels }) => labels.cell === 'cell-1')).toBe(true);
  });

  it('that comes back late is told so with a shorter end: the cause may be over', () => {
    const heldSinceMs = Date.now() - 10 * 60_000;
    const message = { alert: ALERT, raisedMs: heldSinceMs, heldSinceMs };
    const [late] = toPost(message, DEFAULT_ALERTING, Date.now());
    expect(Date.parse(late?.endsAt ?? '')).toBeLessThanOrEqual(Date.now() + HOUR);
    expect(Date.parse(late?.endsAt ?? '')).toBeGreaterThan(Date.now() + HOUR - 60_000);
  });

  it('is given up after a while, aloud', async () => {
    reply = { status: 503 };
    await outbox({ patience: { totalMs: 100, firstPauseMs: 20, maxPauseMs: 50 } }).send(ALERT, Date.now());
    await until(() => texts('error').length === 1);
    expect(texts('error')[0]).toContain('it is given up: Alertmanager answers 503');
    const count = server.heard.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.heard).toHaveLength(count);
  });

  it('that refuses an alert is not asked again for it, and takes the others', async () => {
    server.handle = ({ body }) => (body.includes('cell-2') ? { status: 400, json: 'bad label' } : {});
    const box = outbox({ waitMs: 15_000 });
    await Promise.all(['cell-1', 'cell-2', 'cell-3'].map((cell) => box.send(of(cell), Date.now())));
    const took = posts().filter((post) => post.every(({ labels }) => labels.cell !== 'cell-2'));
    expect(new Set(took.flat().map(({ labels }) => labels.cell))).toEqual(new Set(['cell-1', 'cell-3']));
    expect(texts('error')).toEqual([expect.stringContaining('it is refused: Alertmanager answers 400: "bad label"')]);
  });

  it('is spared what cannot be written down, and takes the others', async () => {
    const box = outbox({ waitMs: 15_000 });
    const broken = of('cell-1', { startedAtMs: Number.NaN });
    await Promise.all([box.send(broken, Date.now()), box.send(of('cell-2'), Date.now())]);
    expect(posted().map(({ labels }) => labels.cell)).toEqual(['cell-2']);
    expect(texts('error')).toEqual([expect.stringContaining('it cannot be written down: RangeError')]);
  });

  it('never has more than a thousand alerts kept for it', async () => {
    reply = 'drop';
    const box = outbox({ patience: { firstPauseMs: 100, maxPauseMs: 100 } });
    await box.send(of('first'), Date.now());
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => box.send(of(`cell-${at}`), Date.now())));
    expect(texts('error')).toEqual([expect.stringContaining('it is given up: 1000 others wait')]);
    expect(lines.find(({ level }) => level === 'error')?.alert?.cell).toBe('first');
    reply = {};
    await expect.poll(() => server.heard.at(-1)?.body, { timeout: 30_000 }).toContain('"cell-999"');
  });
});
