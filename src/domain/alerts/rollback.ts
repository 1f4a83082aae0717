import type { Alert } from '../../contract/activities.js';
import type { LeftOnPackage } from '../../contract/returning.js';

/** A rollback is over, and cells are on the package still. */
export function alertOfLeft(cluster: string, version: string, left: LeftOnPackage, startedAtMs: number): Alert {
  const { total, named, needDowntime } = left;
  const cells = needDowntime.join(' ');
  const again = `cellctl rollback ${version} --reason "…"`;
  return {
    name: 'RollbackLeftCells',
    severity: 's2',
    cluster,
    version,
    summary: `${total} cells are on ${version} still, which was taken back: ${named.map(({ cell }) => cell).join(', ')}`,
    evidence: named.map(({ cell, reason }) => `${cell}: ${reason}`),
    next: [
      `cellctl status ${version}`,
      cells === '' ? again : `cellctl rollback ${version} --allow-downtime ${cells} --reason "…"`,
    ],
    startedAtMs,
  };
}
