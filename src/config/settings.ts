import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { DEFAULT_TASK_QUEUE } from '../contract/ids.js';
import type { Problem } from '../contract/problem.js';
import { z } from '../contract/zod.js';
import type { Environment } from './temporal-cli.js';
import { loadTemporalConfig, type TemporalConfig } from './temporal-config.js';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'pretty';

/** What every process of ours needs. */
export interface ClientSettings {
  temporal: TemporalConfig;
  taskQueue: string;
  log: { level: LogLevel; format: LogFormat };
}

/** What a worker needs besides. An address that is null is not configured. */
export interface WorkerSettings extends ClientSettings {
  amp: { url: string; token: string | null };
  /** These two may name a user and a password. */
  prometheusUrl: string | null;
  alertmanagerUrl: string | null;
  prometheusToken: string | null;
  alertmanagerToken: string | null;
  alerting: {
    /** The team label of alerts about rings up to the perimeter, and beyond it. */
    teams: { perimeter: string; outer: string };
    /** Where `docs/runbooks.md` is published. */
    runbookUrl: string | null;
  };
  /** Token for the cells' own API. */
  cellsToken: string | null;
  ledger: LedgerSettings;
  /** IP address and port on which metrics are served. */
  metricsAddress: string | null;
}

/** Where a worker opens the ledger: in a PostgreSQL, embedded in a folder (null: the user's own), or not at all. */
export type LedgerSettings =
  | { kind: 'postgres'; url: string }
  | { kind: 'embedded'; folder: string | null }
  | { kind: 'off' };

/** What somebody needs who measures the health of cells as a worker does. */
export interface HealthSettings {
  amp: { url: string; token: string | null };
  prometheus: { url: string; token: string | null };
  cellsToken: string | null;
}

export type SettingsResult<T> = { ok: true; settings: T } | { ok: false; problems: Problem[] };

const SECRETS = new Set(['AMP_TOKEN', 'CELLS_API_TOKEN', 'PROMETHEUS_TOKEN', 'ALERTMANAGER_TOKEN']);

/** A rule that says, in its message, what is expected. */
const rule = (expected: string, holds: (value: string) => boolean) => z.string().refine(holds, { error: expected });
const oneOf = <const T extends string>(values: readonly T[]) =>
  z
    .string()
    .toLowerCase()
    .pipe(z.enum(values, { error: `one of ${values.join(', ')}` }));

const url = (example: string) =>
  rule(`an http or https URL without user, query or fragment, e.g. ${example}`, isPlainUrl).transform((value) =>
    value.replace(/\/+$/, ''),
  );
const urlWithUser = (example: string) =>
  rule(`an http or https URL without query or fragment, e.g. ${example}`, isUrl).transform((value) =>
    value.replace(/\/+$/, ''),
  );
const team = rule('up to 100 printable characters without spaces', (value) => /^[\x21-\x7e]{1,100}$/.test(value));
const token = rule('one line of printable ASCII without spaces', (value) => /^[\x21-\x7e]+$/.test(value));
const ledgerUrl = rule(
  'postgres://USER:PASSWORD@HOST:PORT/DATABASE, or off for a worker that leaves the ledger to others',
  (value) => value === 'off' || isPostgresUrl(value),
);
const folder = rule('an absolute path of a folder', (value) => isAbsolute(value) && !value.includes('\0'));
const metricsAddress = z
  .string()
  .transform((value) => value.replace(/^localhost:/, '127.0.0.1:'))
  .refine(isSocketAddress, { error: 'an IP address and a port, e.g. 127.0.0.1:9464 or 0.0.0.0:9464' });

const clientSchema = z.object({
  CELLS_TASK_QUEUE: rule('up to 200 printable characters without spaces', (value) =>
    /^[\x21-\x7e]{1,200}$/.test(value),
  ).default(DEFAULT_TASK_QUEUE),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  LOG_FORMAT: oneOf(['json', 'pretty']).default('json'),
});

const workerSchema = clientSchema.extend({
  AMP_URL: url('https://amp.example.com'),
  AMP_TOKEN: token.nullable().default(null),
  PROMETHEUS_URL: urlWithUser('http://prometheus:9090').nullable().default(null),
  PROMETHEUS_TOKEN: token.nullable().default(null),
  ALERTMANAGER_URL: urlWithUser('http://alertmanager:9093').nullable().default(null),
  ALERTMANAGER_TOKEN: token.nullable().default(null),
  ALERT_TEAM_PERIMETER: team.default('release-managers'),
  ALERT_TEAM_OUTER: team.default('ops'),
  RUNBOOK_URL: url('https://git.example.com/cells/-/blob/main/docs/runbooks.md').nullable().default(null),
  CELLS_API_TOKEN: token.nullable().default(null),
  LEDGER_URL: ledgerUrl.nullable().default(null),
  LEDGER_DIR: folder.nullable().default(null),
  METRICS_ADDRESS: metricsAddress.nullable().default(null),
});

const healthSchema = workerSchema
  .pick({ AMP_URL: true, AMP_TOKEN: true, PROMETHEUS_TOKEN: true, CELLS_API_TOKEN: true })
  .extend({ PROMETHEUS_URL: urlWithUser('http://prometheus:9090') });

/** Settings of a process that only talks to Temporal. An empty variable counts as one that is not set. */
export function readClientSettings(env: Environment): SettingsResult<ClientSettings> {
  return readSettings(clientSchema, env, clientSettings);
}

/** Settings of a worker. All problems at once; the values of secrets are never in them. */
export function readWorkerSettings(env: Environment): SettingsResult<WorkerSettings> {
  return readSettings(workerSchema, env, (values, temporal) => ({
    ...clientSettings(values, temporal),
    amp: { url: values.AMP_URL, token: values.AMP_TOKEN },
    prometheusUrl: values.PROMETHEUS_URL,
    alertmanagerUrl: values.ALERTMANAGER_URL,
    prometheusToken: values.PROMETHEUS_TOKEN,
    alertmanagerToken: values.ALERTMANAGER_TOKEN,
    alerting: {
      teams: { perimeter: values.ALERT_TEAM_PERIMETER, outer: values.ALERT_TEAM_OUTER },
      runbookUrl: values.RUNBOOK_URL,
    },
    cellsToken: values.CELLS_API_TOKEN,
    ledger: ledgerSettings(values.LEDGER_URL, values.LEDGER_DIR),
    metricsAddress: values.METRICS_ADDRESS,
  }));
}

/** Settings for measuring the health of cells. All problems at once, as for a worker. */
export function readHealthSettings(env: Environment): SettingsResult<HealthSettings> {
  const parsed = parsedBy(healthSchema, env);
  if ('problems' in parsed) return { ok: false, problems: parsed.problems };
  const { AMP_URL, AMP_TOKEN, PROMETHEUS_URL, PROMETHEUS_TOKEN, CELLS_API_TOKEN } = parsed.values;
  return {
    ok: true,
    settings: {
      amp: { url: AMP_URL, token: AMP_TOKEN },
      prometheus: { url: PROMETHEUS_URL, token: PROMETHEUS_TOKEN },
      cellsToken: CELLS_API_TOKEN,
    },
  };
}

function ledgerSettings(url: string | null, folder: string | null): LedgerSettings {
  if (url === 'off') return { kind: 'off' };
  return url === null ? { kind: 'embedded', folder } : { kind: 'postgres', url };
}

/** One line a problem, as a process prints them before it ends with status 2. */
export const describeProblem = ({ path, value, expected }: Problem): string =>
  `${path}: ${value}; expected ${expected}`;

function clientSettings(values: z.infer<typeof clientSchema>, temporal: TemporalConfig): ClientSettings {
  return {
    temporal,
    taskQueue: values.CELLS_TASK_QUEUE,
    log: { level: values.LOG_LEVEL, format: values.LOG_FORMAT },
  };
}

function readSettings<S extends z.ZodType, T>(
  schema: S,
  env: Environment,
  build: (values: z.infer<S>, temporal: TemporalConfig) => T,
): SettingsResult<T> {
  const parsed = parsedBy(schema, env);
  const temporal = loadTemporalConfig(env);
  if ('values' in parsed && temporal.ok) return { ok: true, settings: build(parsed.values, temporal.config) };
  const own = 'values' in parsed ? [] : parsed.problems;
  return { ok: false, problems: [...(temporal.ok ? [] : temporal.problems), ...own] };
}

function parsedBy<S extends z.ZodType>(schema: S, env: Environment): { values: z.infer<S> } | { problems: Problem[] } {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(present);
  if (parsed.success) return { values: parsed.data };
  return { problems: parsed.error.issues.map((issue) => problemOf(issue, present)) };
}

function problemOf(issue: z.core.$ZodIssue, present: Environment): Problem {
  const path = String(issue.path[0] ?? '');
  const value = present[path];
  if (value === undefined) return { path, value: '(not set)', expected: 'an http or https URL' };
  return { path, value: SECRETS.has(path) ? '(hidden)' : shown(value), expected: issue.message };
}

/** A password inside a URL is a secret too. */
const shown = (value: string): string => JSON.stringify(value.replace(/\/\/[^/]*@/, '//(hidden)@').slice(0, 120));

function isUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/.test(protocol) && !search && !hash && isDecodable(username) && isDecodable(password);
}

function isPostgresUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname, username, password } = new URL(value);
  const isThere = hostname !== '' && pathname.length > 1 && !pathname.slice(1).includes('/');
  return /^postgres(ql)?:$/.test(protocol) && isThere && isDecodable(username) && isDecodable(password);
}

function isPlainUrl(value: string): boolean {
  if (!isUrl(value)) return false;
  const { username, password } = new URL(value);
  return !username && !password;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function isSocketAddress(value: string): boolean {
  const [, ip6, ip4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  const family = isIP(ip6 ?? ip4 ?? '');
  return family === (ip6 === undefined ? 4 : 6) && Number(port) > 0 && Number(port) < 65_536;
}
