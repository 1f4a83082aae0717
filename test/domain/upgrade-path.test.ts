import { describe, expect, it } from 'vitest';
import { upgradeStops } from '../../src/domain/upgrade-path.js';

const at = (minor: string) => `${minor}.202503180906-6a387d336a7.c1c3e017782`;

describe('the stops on the way from one package to another', () => {
  it.each<[string | null, string, string[]]>([
    ['17.9', '17.9', []],
    ['17.9', '17.10', []],
    ['17.8', '17.10', ['17.9']],
    ['17.6', '17.10', ['17.7', '17.8', '17.9']],
    ['17.11', '18.0', []],
    ['17.10', '18.0', ['17.11']],
    ['17.10', '18.1', ['17.11', '18.0']],
    ['18.1', '17.10', []],
    [null, '17.10', []],
  ])('from %s to %s', (from, to, stops) => {
    expect(upgradeStops(from === null ? null : at(from), at(to))).toEqual(stops);
  });

  it('are named up to a dozen', () => {
    expect(upgradeStops(at('17.9'), at('999999.0'))).toHaveLength(12);
  });

  it('cannot be told of what is no package', () => {
    expect(upgradeStops('17.8.0', at('17.10'))).toEqual([]);
  });
});
