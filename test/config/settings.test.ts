import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeProblem, readClientSettings, readWorkerSettings } from '../../src/config/settings.js';
import { loadTemporalConfig } from '../../src/config/temporal-config.js';

const folder = mkdtempSync(join(tmpdir(), 'settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const GOOD = { AMP_URL: 'https://amp.example.com/' };
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const pemFile = file('cert.pem', PEM);
const notPem = file('cert.txt', 'hello');
const config = file(
  'temporal.toml',
  '[profile.default]\naddress = "from-file:7233"\n[profile.prod]\naddress = "prod:7233"\nnamespace = "cells"\napi_key = "key"\n',
);
const badProfile = file('bad.toml', '[profile.default]\naddress = "http://temporal"\n');
const twice = file('twice.toml', '[profile.default.tls]\nclient_cert_data = "x"\n');
const noToml = file('no.toml', 'api_key = "geheim\n');

const bad: [string, Record<string, string>, string][] = [
  ['AMP_URL', { AMP_URL: '' }, 'http or https'],
  ['AMP_URL', { AMP_URL: 'amp.example.com' }, 'http or https'],
  ['AMP_URL', { AMP_URL: 'ftp://amp.example.com' }, 'http or https'],
  ['AMP_URL', { AMP_URL: 'https://amp.example.com?x=1' }, 'without user, query'],
  ['AMP_TOKEN', { AMP_TOKEN: 'geheim\n' }, 'one line'],
  ['CELLS_API_TOKEN', { CELLS_API_TOKEN: 'geheim geheim' }, 'without spaces'],
  ['PROMETHEUS_URL', { PROMETHEUS_URL: 'prometheus:9090' }, 'http or https'],
  ['PROMETHEUS_URL', { PROMETHEUS_URL: 'http://me:geheim@prometheus:9090?x=1' }, 'without query'],
  ['PROMETHEUS_URL', { PROMETHEUS_URL: 'http://me:geheim%zz@prometheus:9090' }, 'http or https'],
  ['PROMETHEUS_TOKEN', { PROMETHEUS_TOKEN: 'geheim geheim' }, 'without spaces'],
  ['ALERTMANAGER_URL', { ALERTMANAGER_URL: 'http://x y' }, 'http or https'],
  ['ALERTMANAGER_TOKEN', { ALERTMANAGER_TOKEN: 'geheim\n' }, 'one line'],
  ['ALERT_TEAM_PERIMETER', { ALERT_TEAM_PERIMETER: 'two words' }, 'without spaces'],
  ['ALERT_TEAM_OUTER', { ALERT_TEAM_OUTER: 'x'.repeat(101) }, 'up to 100'],
  ['RUNBOOK_URL', { RUNBOOK_URL: 'https://git.example.com/runbooks.md#here' }, 'without user, query'],
  ['AMP_URL', { AMP_URL: 'https://me:geheim@amp.example.com' }, 'without user, query'],
  ['CELLS_TASK_QUEUE', { CELLS_TASK_QUEUE: 'two words' }, 'without spaces'],
  ['CELLS_TASK_QUEUE', { CELLS_TASK_QUEUE: 'x'.repeat(201) }, 'up to 200'],
  ['LOG_LEVEL', { LOG_LEVEL: 'loud' }, 'trace, debug, info, warn, error'],
  ['LOG_FORMAT', { LOG_FORMAT: 'xml' }, 'json, pretty'],
  ['LEDGER_URL', { LEDGER_URL: 'on' }, 'postgres://USER:PASSWORD@HOST:PORT/DATABASE, or off'],
  ['LEDGER_URL', { LEDGER_URL: 'mysql://me:geheim@db/ledger' }, 'postgres://'],
  ['LEDGER_URL', { LEDGER_URL: 'postgres://me:geheim@db' }, 'DATABASE'],
  ['LEDGER_URL', { LEDGER_URL: 'postgres:///ledger' }, 'HOST'],
  ['LEDGER_URL', { LEDGER_URL: 'postgres://me:geheim%@db/ledger' }, 'postgres://'],
  ['LEDGER_DIR', { LEDGER_DIR: 'data/ledger' }, 'an absolute path of a folder'],
  ['METRICS_ADDRESS', { METRICS_ADDRESS: '9464' }, 'an IP address and a port'],
  ['METRICS_ADDRESS', { METRICS_ADDRESS: 'worker.example.com:9464' }, 'an IP address and a port'],
  ['METRICS_ADDRESS', { METRICS_ADDRESS: '127.0.0.1:0' }, 'an IP address and a port'],
  ['METRICS_ADDRESS', { METRICS_ADDRESS: '127.0.0.1:70000' }, 'an IP address and a port'],
  ['METRICS_ADDRESS', { METRICS_ADDRESS: ':::9464' }, 'an IP address and a port'],
  ['TEMPORAL_ADDRESS', { TEMPORAL_ADDRESS: 'http://temporal:7233' }, 'host:port'],
  ['TEMPORAL_ADDRESS', { TEMPORAL_ADDRESS: 'temporal' }, 'host:port'],
  ['TEMPORAL_ADDRESS', { TEMPORAL_ADDRESS: 'temporal:99999' }, 'host:port'],
  ['TEMPORAL_ADDRESS (profile.default.address', { TEMPORAL_CONFIG_FILE: badProfile }, 'host:port'],
  ['TEMPORAL_API_KEY', { TEMPORAL_API_KEY: 'geheim\n' }, 'one line'],
  ['TEMPORAL_TLS', { TEMPORAL_TLS: 'yes' }, 'true or false'],
  ['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION', { TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true' }, 'SERVER_NAME'],
  ['TEMPORAL_TLS_SERVER_CA_CERT_PATH', { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere' }, 'ENOENT'],
  ['TEMPORAL_TLS_SERVER_CA_CERT_PATH', { TEMPORAL_TLS_SERVER_CA_CERT_PATH: notPem }, 'PEM'],
  ['TEMPORAL_TLS_SERVER_CA_CERT_DATA', { TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'geheim' }, 'PEM'],
  ['TEMPORAL_TLS_CLIENT_KEY_PATH', { TEMPORAL_TLS_CLIENT_CERT_PATH: pemFile }, 'its key, or neither'],
  ['TEMPORAL_TLS_CLIENT_CERT_PATH', { TEMPORAL_TLS_CLIENT_KEY_DATA: PEM }, 'its key, or neither'],
  [
    'TEMPORAL_TLS_CLIENT_CERT_PATH',
    { TEMPORAL_CONFIG_FILE: twice, TEMPORAL_TLS_CLIENT_CERT_PATH: pemFile },
    'only one',
  ],
  ['TEMPORAL_PROFILE', { TEMPORAL_CONFIG_FILE: config, TEMPORAL_PROFILE: 'nobody' }, 'name of a profile'],
  ['TEMPORAL_CONFIG_FILE', { TEMPORAL_CONFIG_FILE: noToml }, 'readable TOML'],
];

describe('the settings of a process', () => {
  it.each(bad)('name %s in the problem with %j, and show no secret', (path, env, expected) => {
    const result = readWorkerSettings({ ...GOOD, ...env });
    if (result.ok) throw new Error('expected problems');
    const lines = result.problems.map(describeProblem);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.startsWith(path)).toBe(true);
    expect(lines[0]).toContain(expected);
    expect(lines[0]).not.toContain('geheim');
  });

  it('hide a password inside a URL', () => {
    const result = readWorkerSettings({ AMP_URL: 'https://me:geheim@amp.example.com' });
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain('geheim');
    expect(JSON.stringify(result)).toContain('amp.example.com');
  });

  it('tell all problems at once', () => {
    const result = readWorkerSettings({ TEMPORAL_ADDRESS: 'x', LOG_LEVEL: 'x', METRICS_ADDRESS: 'x' });
    const paths = result.ok ? [] : result.problems.map(({ path }) => path);
    expect(paths.sort()).toEqual(['AMP_URL', 'LOG_LEVEL', 'METRICS_ADDRESS', 'TEMPORAL_ADDRESS']);
  });

  it('have defaults for all but the address of AMP', () => {
    expect(readWorkerSettings(GOOD)).toEqual({
      ok: true,
      settings: {
        temporal: {
          address: 'localhost:7233',
          namespace: 'default',
          connectionOptions: { address: 'localhost:7233' },
        },
        taskQueue: 'cells',
        log: { level: 'info', format: 'json' },
        amp: { url: 'https://amp.example.com', token: null },
        prometheusUrl: null,
        alertmanagerUrl: null,
        prometheusToken: null,
        alertmanagerToken: null,
        alerting: { teams: { perimeter: 'release-managers', outer: 'ops' }, runbookUrl: null },
        cellsToken: null,
        ledger: { kind: 'embedded', folder: null },
        metricsAddress: null,
      },
    });
  });

  it.each([
    [{ LEDGER_URL: 'postgres://me:secret@db:5432/ledger?sslmode=require' }, { kind: 'postgres' }],
    [
      { LEDGER_URL: 'postgresql://db/ledger', LEDGER_DIR: '/data' },
      { kind: 'postgres', url: 'postgresql://db/ledger' },
    ],
    [{ LEDGER_DIR: '/data/ledger' }, { kind: 'embedded', folder: '/data/ledger' }],
    [{ LEDGER_URL: 'off', LEDGER_DIR: '/data/ledger' }, { kind: 'off' }],
    [{ LEDGER_URL: '' }, { kind: 'embedded', folder: null }],
  ])('say with %j where the ledger is', (env, ledger) => {
    expect(readWorkerSettings({ ...GOOD, ...env })).toMatchObject({ ok: true, settings: { ledger } });
  });

  it('are read as they are written', () => {
    const result = readWorkerSettings({
      AMP_URL: 'http://127.0.0.1:8300/amp/',
      AMP_TOKEN: 'amp-token',
      PROMETHEUS_URL: 'http://cells:p%40ss@prometheus:9090/',
      PROMETHEUS_TOKEN: 'prometheus-token',
      ALERTMANAGER_URL: 'http://alertmanager:9093/',
      ALERTMANAGER_TOKEN: 'alertmanager-token',
      ALERT_TEAM_PERIMETER: 'delivery',
      ALERT_TEAM_OUTER: 'cells',
      RUNBOOK_URL: 'https://git.example.com/runbooks.md',
      CELLS_API_TOKEN: 'cells-token',
      METRICS_ADDRESS: 'localhost:9464',
      CELLS_TASK_QUEUE: 'cells-2',
      LOG_LEVEL: 'DEBUG',
      LOG_FORMAT: 'pretty',
    });
    expect(result).toMatchObject({
      ok: true,
      settings: {
        taskQueue: 'cells-2',
        log: { level: 'debug', format: 'pretty' },
        amp: { url: 'http://127.0.0.1:8300/amp', token: 'amp-token' },
        prometheusUrl: 'http://cells:p%40ss@prometheus:9090',
        alertmanagerUrl: 'http://alertmanager:9093',
        prometheusToken: 'prometheus-token',
        alertmanagerToken: 'alertmanager-token',
        alerting: {
          teams: { perimeter: 'delivery', outer: 'cells' },
          runbookUrl: 'https://git.example.com/runbooks.md',
        },
        cellsToken: 'cells-token',
        metricsAddress: '127.0.0.1:9464',
      },
    });
  });

  it('of a client need no address of AMP, and take an IPv6 metrics address from a worker only', () => {
    expect(readClientSettings({}).ok).toBe(true);
    expect(readWorkerSettings({ ...GOOD, METRICS_ADDRESS: '[::1]:9464' }).ok).toBe(true);
  });
});

describe('the connection to Temporal', () => {
  it('comes from the profile that TEMPORAL_PROFILE names, with TLS because there is a key', () => {
    expect(loadTemporalConfig({ TEMPORAL_CONFIG_FILE: config, TEMPORAL_PROFILE: 'prod' })).toEqual({
      ok: true,
      config: {
        address: 'prod:7233',
        namespace: 'cells',
        connectionOptions: { address: 'prod:7233', apiKey: 'key', tls: true },
      },
    });
  });

  it('comes from the environment before the file', () => {
    const env = { TEMPORAL_CONFIG_FILE: config, TEMPORAL_ADDRESS: 'env:7233', TEMPORAL_NAMESPACE: 'mine' };
    expect(loadTemporalConfig(env)).toMatchObject({ ok: true, config: { address: 'env:7233', namespace: 'mine' } });
  });

  it('treats an empty variable as one that is not set', () => {
    const env = { TEMPORAL_CONFIG_FILE: config, TEMPORAL_ADDRESS: '', TEMPORAL_API_KEY: '', TEMPORAL_PROFILE: '' };
    expect(loadTemporalConfig(env)).toMatchObject({ ok: true, config: { address: 'from-file:7233' } });
  });

  it('takes a client certificate and its key from files', () => {
    const env = { TEMPORAL_TLS_CLIENT_CERT_PATH: pemFile, TEMPORAL_TLS_CLIENT_KEY_PATH: pemFile };
    const result = loadTemporalConfig(env);
    const tls = result.ok ? result.config.connectionOptions.tls : null;
    const pair = tls && typeof tls === 'object' ? tls.clientCertPair : null;
    expect(Buffer.from(pair?.crt ?? '').toString()).toBe(PEM);
    expect(Buffer.from(pair?.key ?? '').toString()).toBe(PEM);
  });
});
