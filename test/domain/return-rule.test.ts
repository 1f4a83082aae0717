import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { returnsWithoutDowntime } from '../../src/domain/return-rule.js';
import { V0, V1, V2 } from '../support/fleet.js';

const packageOf = (minor: number, minute: number): string =>
  `17.${minor}.2025031809${String(minute).padStart(2, '0')}-6a387d336a7.c1c3e017782`;

describe('the rule of return', () => {
  it.each<[string, string | null, string, boolean]>([
    ['migrations are where it goes back to', V0, V0, true],
    ['migrations are older than where it goes back to', V0, V1, true],
    ['migrations have gone past where it goes back to', V1, V0, false],
    ['migrations have gone past it by far', V2, V0, false],
    ['nobody knows how far migrations have gone', null, V0, false],
    ['what AMP says of them is no package', '17.10.0', V0, false],
    ['where it goes back to is no package', V0, 'unknown', false],
    ['migrations are at the very release that it goes back to', '17.9.0', '17.9.0', true],
    ['migrations are at another release', '17.10.0', '17.9.0', false],
    ['the shas differ and the place in the order is one', `${V1.slice(0, 22)}ffffffff.eeeeeeee`, V1, true],
  ])('%s', (_, migrated, target, expected) => {
    expect(returnsWithoutDowntime(migrated, target)).toBe(expected);
  });

  it('is one order: what is allowed to one package is allowed to every newer one', () => {
    const at = fc.tuple(fc.integer({ min: 9, max: 12 }), fc.integer({ min: 10, max: 59 }));
    fc.assert(
      fc.property(at, at, at, (migrated, target, newer) => {
        const [older, later] = [target, newer].sort((a, b) => a[0] - b[0] || a[1] - b[1]) as [
          typeof target,
          typeof target,
        ];
        const allowed = returnsWithoutDowntime(packageOf(...migrated), packageOf(...older));
        if (allowed) expect(returnsWithoutDowntime(packageOf(...migrated), packageOf(...later))).toBe(true);
        expect(returnsWithoutDowntime(packageOf(...migrated), packageOf(...migrated))).toBe(true);
      }),
    );
  });
});
