import { describe, expect, it } from 'vitest';
import { newPackageState, type PackageState } from '../../../src/domain/rollout/state.js';
import { viewOfRollout } from '../../../src/domain/rollout/view.js';
import { V1 } from '../../support/fleet.js';

const NOW = Date.parse('2026-03-18T12:00:00Z');
const AT = '2026-03-18T11:59:59.000Z';
const asked = { requestId: 'g', by: 'rt', at: '2026-03-18T09:00:00.000Z', askedAt: AT, accepted: null };

const waitOf = (more: Partial<PackageState>) =>
  viewOfRollout({ ...newPackageState(V1, null, NOW), ...more }, NOW).waitingFor;

describe('what a package waits for in its first moments', () => {
  it('asks the cluster, and names no command that would not help', () => {
    const wait = waitOf({});
    expect(wait).toMatchObject({
      kind: 'graduation',
      next: [],
      detail: expect.stringMatching(/asks the cell cluster/),
    });
    expect(wait).not.toHaveProperty('until');
  });

  it('waits for a topology only where nobody was there to hear it', () => {
    expect(waitOf({ clusterAway: true })).toMatchObject({ kind: 'topology', next: ['cellctl cluster apply FILE'] });
    expect(waitOf({ clusterAway: true, registered: true })?.kind).toBe('graduation');
  });

  it('once asked to graduate, waits for the cluster and no longer for a person', () => {
    expect(waitOf({ registered: true, graduation: asked })).toMatchObject({ kind: 'graduation', since: AT, next: [] });
    expect(waitOf({ registered: true })?.next).toEqual([`cellctl graduate ${V1}`]);
  });
});
