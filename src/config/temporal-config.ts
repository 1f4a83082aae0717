import { accessSync, constants, readFileSync } from 'node:fs';
import {
  type ClientConfigProfile,
  type ConfigDataSource,
  loadClientConfigProfile,
  toClientOptions,
} from '@temporalio/envconfig';
import type { Problem } from '../contract/problem.js';
import type { Environment } from './temporal-cli.js';

/** How to reach Temporal: enough for `Connection.connect` and `NativeConnection.connect`, and for a client. */
export interface TemporalConfig {
  address: string;
  namespace: string;
  connectionOptions: ReturnType<typeof toClientOptions>['connectionOptions'];
}

export type TemporalConfigResult = { ok: true; config: TemporalConfig } | { ok: false; problems: Problem[] };

const DEFAULT_ADDRESS = 'localhost:7233';
const DEFAULT_NAMESPACE = 'default';
const BOOLEANS = ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];

/** The parts of a TLS profile that are PEM, with what names them in the environment and in the file. */
const PEM_PARTS = [
  ['clientCert', 'TEMPORAL_TLS_CLIENT_CERT', 'client_cert'],
  ['clientKey', 'TEMPORAL_TLS_CLIENT_KEY', 'client_key'],
  ['serverCACert', 'TEMPORAL_TLS_SERVER_CA_CERT', 'server_ca_cert'],
] as const;

/**
 * Reads `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`, `TEMPORAL_PROFILE` and the
 * config file by the rules of the `temporal` CLI. Problems name the variable; keys and certificates are never shown.
 */
export function loadTemporalConfig(env: Environment): TemporalConfigResult {
  const problems = checkVariables(env);
  const profile = loadProfile(env);
  if (Array.isArray(profile)) return { ok: false, problems: [...problems, ...profile] };
  problems.push(...checkAddress(profile, env), ...checkTls(profile, env), ...checkApiKey(profile, env));
  if (problems.length > 0) return { ok: false, problems };

  const address = profile.address || DEFAULT_ADDRESS;
  const { connectionOptions } = toClientOptions(profile);
  const set = Object.entries(connectionOptions).filter(([, value]) => value !== undefined);
  const namespace = profile.namespace || DEFAULT_NAMESPACE;
  return { ok: true, config: { address, namespace, connectionOptions: { ...Object.fromEntries(set), address } } };
}

function checkVariables(env: Environment): Problem[] {
  const problems = BOOLEANS.filter((path) => env[path] && !/^(true|false|1|0)$/.test(env[path])).map((path) => ({
    path,
    value: JSON.stringify(env[path]),
    expected: 'true or false',
  }));
  if (/^(true|1)$/.test(env.TEMPORAL_TLS_DISABLE_HOST_VERIFICATION ?? '')) {
    problems.push({
      path: 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION',
      value: JSON.stringify(env.TEMPORAL_TLS_DISABLE_HOST_VERIFICATION),
      expected: 'false: this client always verifies the host; name it by TEMPORAL_TLS_SERVER_NAME',
    });
  }
  return problems;
}

function loadProfile(env: Environment): ClientConfigProfile | Problem[] {
  try {
    return loadClientConfigProfile({ overrideEnvVars: present(env) });
  } catch (error) {
    return [profileProblem(env, error instanceof Error ? error : new Error(String(error)))];
  }
}

/** An empty variable counts as one that is not set, but for metadata, where it removes a key of the file's. */
function present(env: Environment): Record<string, string> {
  const entries = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (entry[1] !== '' || entry[0].startsWith('TEMPORAL_GRPC_META_')),
  );
  return Object.fromEntries(entries);
}

function profileProblem(env: Environment, error: Error): Problem {
  const both = /both (\w+)_path and/.exec(error.message)?.[1];
  if (both) {
    const name = `TEMPORAL_TLS_${both.toUpperCase()}`;
    const expected = `only one of ${name}_PATH and ${name}_DATA (or of their likes in the config file)`;
    return { path: `${name}_PATH`, value: '(both are set)', expected };
  }
  if (/Profile '.*' not found/.test(error.message)) {
    const value = JSON.stringify(env.TEMPORAL_PROFILE);
    return { path: 'TEMPORAL_PROFILE', value, expected: 'the name of a profile in the config file' };
  }
  // Only the first line: a TOML error goes on to quote the file, and the file can hold a key.
  const reason = error.message.split('\n')[0] ?? '';
  const value = JSON.stringify(env.TEMPORAL_CONFIG_FILE || '(default path)');
  return { path: 'TEMPORAL_CONFIG_FILE', value, expected: `a readable TOML file (${reason})` };
}

function checkAddress(profile: ClientConfigProfile, env: Environment): Problem[] {
  const address = profile.address || DEFAULT_ADDRESS;
  const port = Number(/^(?:\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(address)?.[1] ?? 0);
  if (port > 0 && port < 65_536) return [];
  const path = named('TEMPORAL_ADDRESS', 'address', env);
  return [
    { path, value: JSON.stringify(address), expected: 'host:port without a scheme, e.g. temporal.example.com:7233' },
  ];
}

/** A key with a line break at its end is a common slip, and would fail later, as a strange gRPC error. */
function checkApiKey(profile: ClientConfigProfile, env: Environment): Problem[] {
  if (!profile.apiKey || /^[\x21-\x7e]+$/.test(profile.apiKey)) return [];
  const path = named('TEMPORAL_API_KEY', 'api_key', env);
  return [{ path, value: '(hidden)', expected: 'one line of printable ASCII without spaces' }];
}

function checkTls({ tls }: ClientConfigProfile, env: Environment): Problem[] {
  if (!tls || tls.disabled === true) return [];
  const problems = PEM_PARTS.flatMap(([part, name, key]) => {
    const source = tls[part];
    return source ? checkPem(source, name, key, env) : [];
  });
  if (Boolean(tls.clientCert) !== Boolean(tls.clientKey)) {
    const missing = tls.clientCert ? 'TEMPORAL_TLS_CLIENT_KEY' : 'TEMPORAL_TLS_CLIENT_CERT';
    const expected = 'a client certificate and its key, or neither';
    problems.push({ path: `${missing}_PATH`, value: '(not set)', expected });
  }
  return problems;
}

function checkPem(source: ConfigDataSource, name: string, key: string, env: Environment): Problem[] {
  if (!('path' in source)) {
    const path = named(`${name}_DATA`, `tls.${key}_data`, env);
    return isPem(source.data) ? [] : [{ path, value: '(hidden)', expected: 'PEM, beginning with -----BEGIN' }];
  }
  const path = named(`${name}_PATH`, `tls.${key}_path`, env);
  try {
    accessSync(source.path, constants.R_OK);
    if (isPem(readFileSync(source.path))) return [];
    return [{ path, value: JSON.stringify(source.path), expected: 'a PEM file, with -----BEGIN in it' }];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return [{ path, value: JSON.stringify(source.path), expected: `a file that can be read (${code})` }];
  }
}

const isPem = (data: string | Uint8Array): boolean => Buffer.from(data).includes('-----BEGIN ');

/** What wrote the value: the variable where it is set, else the key of the config file's profile. */
const named = (variable: string, key: string, env: Environment): string =>
  env[variable] ? variable : `${variable} (profile.${env.TEMPORAL_PROFILE || 'default'}.${key} of the config file)`;
