import type { Alert } from '../../contract/activities.js';
import type { LeftOnPackage } from '../../contract/returning.js';
import { rollbackAgain } from '../rollback/again.js';

/** A rollback is over, and cells are on the package still. */
export function alertOfLeft(cluster: string, version: string, left: LeftOnPackage, startedAtMs: number): Alert {
  const { total, named, needDowntime } = left;
  return {
    name: 'RollbackLeftCells',
    severity: 's2',
    cluster,
    version,
    summary: `${total} cells are on ${version} still, which was taken back: ${named.map(({ cell }) => cell).join(', ')}`,
    evidence: named.map(({ cell, reason }) => `${cell}: ${reason}`),
    next: [`cellctl status ${version}`, rollbackAgain({ ...left, version }, needDowntime)],
    startedAtMs,
  };
}
