import { expect, test } from 'vitest';
import { Roster } from '../../../src/domain/ring/roster.js';
import { packCells } from '../../../src/domain/snapshot.js';
import { cell, V0, V1 } from '../../support/fleet.js';

test('a roster counts what all of its cells were last seen to run, and some of them apart', () => {
  const roster = Roster.of(packCells(['a', 'b', 'c', 'd'].map(cell)));
  roster.see(0, V0);
  roster.see(1, null);
  roster.see(2, V0);
  roster.see(2, V1);
  expect(roster.observed).toEqual({ [V0]: 1, [V1]: 1, unknown: 1 });
  // Of the last one nobody has said anything yet.
  expect(roster.observedOf([1, 2, 3])).toEqual({ [V1]: 1, unknown: 1 });
  expect(roster.versionOf(3)).toBeNull();
});
