import { describe, expect, it } from 'vitest';
import { noteUnwellAfterPdm } from '../../../src/domain/rollout/after-pdm.js';
import { newPackageState, trim } from '../../../src/domain/rollout/state.js';
import { V1 } from '../../support/fleet.js';

const act = (outcome: string, by = 'coordinator') => ({ at: '', act: 'engageBrake', by, outcome });

describe('a package whose cells are ill since PDM is braked', () => {
  it('once for each ring: what a person took off stays off, whatever is done after it', () => {
    const s = newPackageState(V1, null, 0);
    expect([noteUnwellAfterPdm(s, 1), noteUnwellAfterPdm(s, 1)]).toEqual([true, false]);
    for (let i = 0; i < 300; i += 1) s.acts.push(act('recorded', 'alice'));
    trim(s);
    expect(noteUnwellAfterPdm(s, 1)).toBe(false);
  });

  it('for a ring also where it was for another whose number begins with the same figure', () => {
    const s = newPackageState(V1, null, 0);
    expect([11, 1, 10].map((ring) => noteUnwellAfterPdm(s, ring))).toEqual([true, true, true]);
  });

  it('not again where an older worker noted it among its acts alone', () => {
    const s = newPackageState(V1, null, 0);
    s.acts.push(act('brake unhealthy-after-pdm-ring-11 is on'));
    expect([noteUnwellAfterPdm(s, 1), noteUnwellAfterPdm(s, 11), noteUnwellAfterPdm(s, 11)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
