import type { Topology, WrittenHealth, WrittenPolicy } from '../../domain/topology/index.js';

/** The cell whose errors burst with `--fault`: neither the first of its ring nor the last. */
export const FAULTY_CELL = 'cell-8';
export const FAULTY_RING = 3;

/** The package that the demo sends through all rings. */
export const VERSION = '17.10.202503180906-6a387d336a7.c1c3e017782';

/** What 2 hours, 1 hour and 30 minutes are in a demo. */
const SHORT: WrittenPolicy = {
  bakeTime: '3s',
  gracePeriod: '2s',
  pollInterval: '1s',
  verifyTimeout: '30s',
  deployTimeout: '1m',
  cancelTimeout: '20s',
  maxParallel: 24,
};

const QA: WrittenPolicy = {
  onFailure: 'soft',
  bakeTime: '0s',
  postDeployMigrations: 'with-deploy',
  downtimeRollback: 'allowed',
  deployToUnhealthy: true,
  smokeTests: true,
};

/** What a day takes in the metrics of a demo. */
export const DAY = '10m';

/**
 * The name of a recording rule such as `…:ratio_5m` says that a sample looks back for five minutes, and nothing younger
 * than that would count after a deployment. With a day of ten minutes it looks back for two seconds: so the rules are
 * named here by a pattern, which says nothing of the kind.
 */
const rule = (name: string): string => `{__name__=~"${name}.+",cell="{{cell}}",type="webservice"}`;

/** What 10 minutes, a day and 30 seconds are in a demo. */
const HEALTH: WrittenHealth = {
  window: '4s',
  baseline: '2m',
  interval: '1s',
  minSamples: 3,
  inconclusiveTimeout: '1m',
  // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
  quiet: { signal: 'traffic', below: 0.001, for: '3s', then: 'smoke-tests' },
  signals: {
    apdex: { query: rule('gitlab_service_apdex:ratio_'), worse: 'lower', slo: 0.99, zScore: 3 },
    errors: { query: rule('gitlab_service_errors:ratio_'), worse: 'higher', slo: 0.005, zScore: 3 },
    traffic: { query: rule('gitlab_service_ops:rate_'), worse: 'both', zScore: 10 },
  },
};

/** Other tools deploy the main stage, and publish how healthy it is. */
const OF_MAIN_STAGE: WrittenHealth = {
  signals: {
    deployment: {
      query: 'min(gitlab_deployment_health:service{env="gprd",stage="main"})',
      worse: 'lower',
      min: 1,
    },
  },
};

/** A QA cell, the main stage as other tools deploy it, and three outer rings of 3, 9 and 24 cells. */
export function demoTopology(): Topology {
  return {
    cluster: 'demo',
    perimeter: 1,
    policy: SHORT,
    health: HEALTH,
    lanes: { urgent: { bakeTime: '1s', gracePeriod: '1s', maxParallel: '50%' } },
    rings: [
      { ring: 0, name: 'qa', policy: QA, cells: [{ id: 'qa', tenant: 'c01qa' }] },
      {
        ring: 1,
        name: 'main-stage',
        deployedBy: 'external',
        health: OF_MAIN_STAGE,
        cells: [{ id: 'legacy', observe: true }],
      },
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
