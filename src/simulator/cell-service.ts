import type { CellRecord } from './model.js';
import { applicationVersion, revisionOf } from './packages.js';
import { answersReady, occasionOf } from './readiness.js';
import type { World } from './world.js';

export interface CellAnswer {
  status: number;
  body: unknown;
}

const CHECKS = ['master_check', 'db_check', 'cache_check', 'queues_check', 'shared_state_check', 'gitaly_check'];

/** `GET /-/readiness`; with `all` every check is listed. */
export function readiness(world: World, cell: CellRecord, all: boolean, nowMs: number): CellAnswer {
  const ready = answersReady(world.faults, cell, nowMs);
  const status = ready ? 'ok' : 'failed';
  const checks = CHECKS.map((check) => [check, [checkResult(check, ready)]] as const);
  const listed = all ? checks : checks.filter(([check]) => check === 'master_check');
  return { status: ready ? 200 : 503, body: { status, ...Object.fromEntries(listed) } };
}

const checkResult = (check: string, ready: boolean): object =>
  ready || check !== 'db_check' ? { status: 'ok' } : { status: 'failed', message: 'could not connect to server' };

/** `GET /api/v4/metadata`. */
export function metadata(world: World, cell: CellRecord): CellAnswer {
  const wrong = world.faults.strike('wrong-version', occasionOf(cell), (fault) => fault.where !== 'amp');
  const version = applicationVersion(cell.version);
  const revision = wrong ? (wrong.fault.reports ?? 'badc0ffee00') : revisionOf(cell.version);
  return { status: 200, body: { version, revision, kas: { enabled: true, version }, enterprise: true } };
}
