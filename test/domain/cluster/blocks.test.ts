import { describe, expect, it, test } from 'vitest';
import type { BlockedVersion } from '../../../src/contract/status.js';
import {
  blockFrom,
  blockOf,
  brakeOfBlock,
  isBlockedBy,
  isSameBlock,
  MAX_BLOCKS,
  waitForBlock,
  whyNoRoomToBlock,
  whyNotBlocked,
  whyNotFixedIn,
  withBlock,
  withoutBlock,
} from '../../../src/domain/cluster/blocks.js';
import { judgeGraduation, recordGraduation } from '../../../src/domain/cluster/packages.js';
import { newClusterState } from '../../../src/domain/cluster/state.js';
import { viewOfCluster } from '../../../src/domain/cluster/view.js';
import { V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const block = (version = V1, more: Partial<BlockedVersion> = {}): BlockedVersion => ({
  version,
  by: 'alice',
  reason: 'INC-4711',
  since: '2026-01-02T03:04:05Z',
  ...more,
});

test.each([
  ['an older package', V0, undefined, false],
  ['the package itself', V1, undefined, true],
  ['the package itself, its shas cut short', '17.10.202503180906-6a387d3.c1c3e01', undefined, true],
  ['a later one', V3, undefined, true],
  ['a later one before its fix', V2, V3, true],
  ['the one with the fix', V3, V3, false],
  ['what is no package', '17.10.0', undefined, false],
])('%s: whether a block covers it', (_what, version, fixedIn, covered) => {
  expect(isBlockedBy({ version: V1, ...(fixedIn ? { fixedIn } : {}) }, version)).toBe(covered);
});

describe('blocks', () => {
  it('take the place of one that begins with the same package', () => {
    const [first, again] = [block(), block(V1, { fixedIn: V3 })];
    expect(withBlock(withBlock([], first), again)).toEqual([again]);
    expect(withBlock([first], block(V2))).toEqual([first, block(V2)]);
    expect(isSameBlock(first, { ...first, since: '2027-01-02T03:04:05Z' })).toBe(true);
    expect(isSameBlock(first, again)).toBe(false);
  });

  it('are lifted by the package with which they begin, and by no other', () => {
    const blocked = [block()];
    expect(whyNotBlocked(blocked, V1)).toBeNull();
    expect(withoutBlock(blocked, V1)).toEqual([]);
    expect(whyNotBlocked(blocked, V2)).toContain(V1);
    expect(whyNotBlocked(blocked, V0)).toContain(V1);
    expect(whyNotBlocked([], V1)).toContain('none is');
  });

  it('are found by what they cover', () => {
    const blocked = [block(V1, { fixedIn: V2 }), block(V3)];
    expect([V0, V1, V2, V3].map((v) => blockOf(blocked, v)?.version ?? null)).toEqual([null, V1, null, V3]);
    expect(blockFrom(blocked, V2)).toBeNull();
  });

  it('are as many as every pass can be told, and replacing one is always possible', () => {
    const full = Array.from({ length: MAX_BLOCKS }, (_, i) =>
      block(`17.10.2025031809${String(i).padStart(2, '0')}-6a387d336a7.c1c3e017782`),
    );
    expect(whyNoRoomToBlock(full, V3)).toContain(String(MAX_BLOCKS));
    expect(whyNoRoomToBlock(full, full[3]?.version ?? '')).toBeNull();
    expect(whyNoRoomToBlock(full.slice(1), V3)).toBeNull();
  });

  it.each([
    [undefined, null],
    [V2, null],
    [V1, V1],
    [V0, V1],
  ])('are fixed in a newer package only (%s)', (fixedIn, named) => {
    const why = whyNotFixedIn(V1, fixedIn);
    if (named === null) expect(why).toBeNull();
    else expect(why).toContain(named);
  });

  it('say who, why, what they cover and what ends them', () => {
    const wait = waitForBlock(block(V1, { fixedIn: V3 }), 2);
    expect(wait).toMatchObject({ kind: 'brake', ring: 2, blocked: V1 });
    expect(wait.detail).toMatch(new RegExp(`alice.*${V1}.*${V3}.*INC-4711`));
    expect(wait.next.join()).toContain(`cellctl unblock ${V1}`);
    expect(brakeOfBlock(block())).toMatchObject({ scope: 'package', mode: 'finish-cells', blocks: { version: V1 } });
  });
});

describe('a blocked package', () => {
  const ask = (version: string) => ({ requestId: 'g', version, chartVersion: null, lane: null, by: 'b', at: '' });

  it('does not graduate, nor does a later one before its fix; what has graduated stays so, and is marked', () => {
    const state = newClusterState();
    recordGraduation(state, { ...ask(V1), at: '2026-01-02T03:04:05Z' });
    state.blocked = [block(V1, { fixedIn: V3 })];
    expect(judgeGraduation(state, null, ask(V1))).toBeNull();
    expect(judgeGraduation(state, null, ask(V2))).toMatchObject({ path: 'version', value: V2 });
    expect(judgeGraduation(state, null, ask(V2))?.expected).toContain(`cellctl unblock ${V1}`);
    expect(judgeGraduation(state, null, ask(V3))).toBeNull();
    const view = viewOfCluster(state, NOW);
    expect(view.graduated).toMatchObject([{ version: V1, blocked: true }]);
    expect(view.blocked).toEqual(state.blocked);
  });
});
