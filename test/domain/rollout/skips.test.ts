import { describe, expect, it } from 'vitest';
import { MAX_SKIPS, noteSkip, whyNoSkip } from '../../../src/domain/rollout/skips.js';
import { newPackageState } from '../../../src/domain/rollout/state.js';
import { V1 } from '../../support/fleet.js';

const skip = (cell: string, reason = 'being rebuilt') => ({ cell, by: 'alice', reason });

describe('skipped cells of a package', () => {
  it('are as many as a pass can be given, and the same one again takes no more room', () => {
    const s = newPackageState(V1, null, 0);
    for (let i = 0; i < MAX_SKIPS; i += 1) {
      expect(whyNoSkip(s, `c-${i}`)).toBeNull();
      noteSkip(s, skip(`c-${i}`));
    }
    expect(whyNoSkip(s, 'one-more')).toMatch(/at most 200/);
    expect(whyNoSkip(s, 'c-7')).toBeNull();
    noteSkip(s, skip('c-7', 'and again'));
    expect(s.skips).toHaveLength(MAX_SKIPS);
    expect(s.skips.at(-1)).toEqual(skip('c-7', 'and again'));
  });

  it('keep a reason that fits into a line', () => {
    const s = newPackageState(V1, null, 0);
    expect(noteSkip(s, skip('c-1', 'x'.repeat(2_000))).reason).toBe(`${'x'.repeat(199)}…`);
    expect(noteSkip(s, skip('c-2', 'x'.repeat(200))).reason).toBe('x'.repeat(200));
  });
});
