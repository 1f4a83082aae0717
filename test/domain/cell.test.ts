import { describe, expect, it } from 'vitest';
import type { TenantFacts } from '../../src/contract/activities.js';
import type { CellPurpose } from '../../src/contract/internal.js';
import type { RingPolicy } from '../../src/contract/policy.js';
import { cancellable, judgeSeen } from '../../src/domain/cell.js';
import { V0, V1, V2 } from '../support/fleet.js';
import { policyOf } from './policies.js';

describe('a job under way', () => {
  it.each<[CellPurpose, Partial<RingPolicy>, boolean]>([
    ['deploy', {}, true],
    ['deploy', { postDeployMigrations: 'with-deploy' }, false],
    ['deploy', { scope: 'full' }, false],
    ['migrate', {}, false],
    ['rollback', {}, false],
  ])('of purpose %s under %j may be cancelled: %s', (purpose, policy, expected) => {
    expect(cancellable(purpose, policyOf(policy))).toBe(expected);
  });
});

describe('what AMP says of a tenant', () => {
  const facts = (version: string | null, chartVersion: string | null = '8.10.1'): TenantFacts => ({
    version,
    chartVersion,
    migratedVersion: null,
    previousVersion: null,
    previousChartVersion: null,
  });
  const longer = V1.replace('6a387d336a7', '6a387d336a7bbbb');

  it.each<[string, TenantFacts | null, string | null, string]>([
    ['nothing', null, null, 'unknown'],
    ['no version', facts(null), null, 'unknown'],
    ['the package, whatever its chart, where none is named', facts(V1, 'any'), null, 'target'],
    ['the package with its chart', facts(V1), '8.10.1', 'target'],
    ['the package with another chart', facts(V1), '8.10.2', 'other'],
    ['the package, its sha written longer', facts(longer), null, 'target'],
    ['an older package', facts(V0), null, 'other'],
    ['a newer package', facts(V2), null, 'newer'],
    ['a monthly release, which no order holds', facts('17.10.0'), null, 'other'],
  ])('%s', (_, seen, chartVersion, expected) => {
    expect(judgeSeen(seen, { version: V1, chartVersion })).toBe(expected);
  });
});
