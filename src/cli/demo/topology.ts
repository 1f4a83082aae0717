import type { Topology, WrittenPolicy } from '../../domain/topology/index.js';

/** The cell that `--fault` lets fail: neither the first of its ring nor the last. */
export const FAULTY_CELL = 'cell-8';
export const FAULTY_RING = 3;

/** What 2 hours, 1 hour and 30 minutes are in a demo. */
const SHORT: WrittenPolicy = {
  bakeTime: '4s',
  gracePeriod: '3s',
  pollInterval: '1s',
  verifyTimeout: '30s',
  deployTimeout: '1m',
  cancelTimeout: '20s',
  maxParallel: 8,
};

const QA: WrittenPolicy = {
  onFailure: 'soft',
  bakeTime: '0s',
  postDeployMigrations: 'with-deploy',
  downtimeRollback: 'allowed',
  deployToUnhealthy: true,
};

/** A QA cell, the main stage as other tools deploy it, and three outer rings of 3, 9 and 24 cells. */
export function demoTopology(): Topology {
  return {
    cluster: 'demo',
    perimeter: 1,
    policy: SHORT,
    lanes: { urgent: { bakeTime: '1s', gracePeriod: '1s', maxParallel: '50%' } },
    rings: [
      { ring: 0, name: 'qa', policy: QA, cells: [{ id: 'qa', tenant: 'c01qa' }] },
      { ring: 1, name: 'main-stage', deployedBy: 'external', cells: [{ id: 'legacy', observe: true }] },
      { ring: 2, name: 'first-customers', cells: cellsFrom(1, 3, 'us-east1') },
      { ring: 3, name: 'early-adopters', cells: cellsFrom(4, 9, 'europe-west1') },
      { ring: 4, name: 'everyone', cells: cellsFrom(13, 24, 'us-east1') },
    ],
  };
}

const cellsFrom = (first: number, count: number, region: string) =>
  Array.from({ length: count }, (_, i) => ({
    id: `cell-${first + i}`,
    tenant: `c01demo${String(first + i).padStart(3, '0')}`,
    labels: { region },
  }));
