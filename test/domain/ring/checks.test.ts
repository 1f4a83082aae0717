import { expect, it } from 'vitest';
import { askOutside, noteOutside, speaksAgainst } from '../../../src/domain/ring/checks.js';
import type { PassState } from '../../../src/domain/ring/pass.js';
import { override } from '../../../src/domain/ring/people.js';
import { standing, waiting } from './passes.js';

const says = (s: PassState, ...against: string[]) => {
  noteOutside(s, { detail: against.length > 0 ? `no, say ${against.join(', ')}` : null, against });
  return speaksAgainst(s);
};

it('a check that a person passed by holds nothing until it has said ok; what it says after that does', () => {
  const s = standing('C.');
  expect(says(s, 'incidents')).toBe('no, say incidents');
  override(s, 'check', waiting());
  expect([speaksAgainst(s), says(s, 'incidents')]).toEqual([null, null]);
  expect(says(s)).toBeNull();
  expect(says(s, 'incidents')).toBe('no, say incidents');
});

it('another check is another wait, also while the first says no still', () => {
  const s = standing('C.');
  says(s, 'incidents');
  override(s, 'check', waiting());
  expect(says(s, 'incidents', 'changes')).toBe('no, say incidents, changes');
});

it('a check that failed ahead of all of them is passed by for itself alone', () => {
  const s = standing('C.');
  says(s);
  override(s, 'check', waiting());
  expect(says(s, 'incidents')).toBe('no, say incidents');
});

it('whoever asks anew waits for the first answer, and knows what was passed by', () => {
  const s = standing('C.');
  says(s, 'incidents');
  override(s, 'check', waiting());
  askOutside(s);
  expect(speaksAgainst(s)).toBe('the outside checks are asked');
  expect(says(s, 'incidents')).toBeNull();
});

it('a word without names, as an older worker sends it, is passed by as it is', () => {
  const s = standing('C.');
  noteOutside(s, { detail: 'check incidents: 7 is open' });
  override(s, 'check', waiting());
  expect(speaksAgainst(s)).toBeNull();
  noteOutside(s, { detail: 'check incidents: 8 is open' });
  expect(speaksAgainst(s)).toBe('check incidents: 8 is open');
});
