import type { HealthPolicy } from '../../src/contract/health.js';
import { resolveHealth } from '../../src/domain/health/index.js';
import { parseTopology } from '../../src/domain/topology/index.js';
import { OBJECTIVES } from './faults.js';

/** The example topology's signals, and those of one component beside them. */
const HEALTH = {
  signals: {
    apdex: {
      query: 'gitlab_service_apdex:ratio_5m{cell="{{cell}}",type="webservice"}',
      worse: 'lower',
      slo: OBJECTIVES.apdex,
      zScore: 3,
    },
    errors: {
      query: 'gitlab_service_errors:ratio_5m{cell="{{cell}}",type="webservice"}',
      worse: 'higher',
      slo: OBJECTIVES.errors,
      zScore: 3,
    },
    traffic: { query: 'gitlab_service_ops:rate_5m{cell="{{cell}}",type="webservice"}', worse: 'both', zScore: 4 },
    saturation: {
      query: 'max(gitlab_component_saturation:ratio{cell="{{cell}}"})',
      worse: 'higher',
      max: OBJECTIVES.saturation,
      zScore: 4,
    },
    gitaly: {
      query: 'gitlab_service_errors:ratio_5m{cell="{{cell}}",type="gitaly"}',
      worse: 'higher',
      slo: OBJECTIVES.gitaly,
      zScore: 3,
    },
  },
};

/** The policy that the benchmark's ring has: all defaults, and these signals. */
export function benchPolicy(): HealthPolicy {
  const parsed = parseTopology({ cluster: 'bench', perimeter: 0, health: HEALTH, rings: [{ ring: 1, cells: [] }] });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return resolveHealth(parsed.topology, 1);
}
