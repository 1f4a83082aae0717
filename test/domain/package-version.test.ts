import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  comparePackages,
  conflictsWith,
  fromTag,
  isNewer,
  isPackage,
  newest,
  parsePackage,
  revisionMatches,
  samePackage,
} from '../../src/domain/package-version.js';

const EXAMPLE = '17.10.202503180906-6a387d336a7.c1c3e017782';

describe('a package version', () => {
  it('is read into its parts', () => {
    expect(parsePackage(EXAMPLE)).toEqual({
      raw: EXAMPLE,
      major: 17,
      minor: 10,
      timestamp: '202503180906',
      gitlabSha: '6a387d336a7',
      omnibusSha: 'c1c3e017782',
    });
  });

  test.each([
    ['a monthly release', '17.10.0'],
    ['nothing', ''],
    ['a tag with +', '17.10.202503180906+6a387d336a7.c1c3e017782'],
    ['a timestamp of 11 digits', '17.10.20250318090-6a387d336a7.c1c3e017782'],
    ['a timestamp of 14 digits', '17.10.20250318090612-6a387d336a7.c1c3e017782'],
    ['a month 13', '17.10.202513180906-6a387d336a7.c1c3e017782'],
    ['a month 0', '17.10.202500180906-6a387d336a7.c1c3e017782'],
    ['a 30 February', '17.10.202502300906-6a387d336a7.c1c3e017782'],
    ['a 29 February of no leap year', '17.10.202502290906-6a387d336a7.c1c3e017782'],
    ['an hour 24', '17.10.202503182400-6a387d336a7.c1c3e017782'],
    ['a minute 60', '17.10.202503180960-6a387d336a7.c1c3e017782'],
    ['a year before 2000', '17.10.199903180906-6a387d336a7.c1c3e017782'],
    ['an upper-case sha', '17.10.202503180906-6A387D336A7.c1c3e017782'],
    ['a sha of 6', '17.10.202503180906-6a387d.c1c3e017782'],
    ['a sha of 65', `17.10.202503180906-${'a'.repeat(65)}.c1c3e017782`],
    ['one sha', '17.10.202503180906-6a387d336a7'],
    ['three shas', `${EXAMPLE}.c1c3e017782`],
    ['a leading zero', '017.10.202503180906-6a387d336a7.c1c3e017782'],
    ['a leading v', `v${EXAMPLE}`],
    ['a blank around it', ` ${EXAMPLE}`],
    ['a line break after it', `${EXAMPLE}\n`],
    ['a sign', `-${EXAMPLE}`],
  ])('is not %s', (_what, text) => {
    expect(isPackage(text)).toBe(false);
    expect(parsePackage(text)).toBeNull();
    expect(() => comparePackages(text, EXAMPLE)).toThrow(RangeError);
  });

  it('may be of a leap day, and have full shas', () => {
    expect(isPackage(`18.0.202402292359-${'a'.repeat(40)}.${'b'.repeat(64)}`)).toBe(true);
  });

  it('is read from a pasted tag', () => {
    expect(fromTag(' 17.10.202503180906+6a387d336a7.c1c3e017782\n')).toBe(EXAMPLE);
    expect(fromTag(EXAMPLE)).toBe(EXAMPLE);
    expect(fromTag('17.10.0+ee.0')).toBeNull();
    expect(fromTag('17.10.202503180906-6a387d336a7+c1c3e017782')).toBeNull();
  });
});

describe('the order of packages', () => {
  it('is numeric, not alphabetic', () => {
    expect(isNewer('17.10.202503180906-aaaaaaa.bbbbbbb', '17.9.202503180906-aaaaaaa.bbbbbbb')).toBe(true);
    expect(isNewer('18.0.202401010000-aaaaaaa.bbbbbbb', '17.11.202503180906-aaaaaaa.bbbbbbb')).toBe(true);
  });

  it('takes no notice of shas', () => {
    expect(comparePackages(EXAMPLE, '17.10.202503180906-fffffff.fffffff')).toBe(0);
    expect(isNewer(EXAMPLE, '17.10.202503180906-0000000.0000000')).toBe(false);
  });

  it('finds the newest, the first of equals, and none of none', () => {
    const later = '17.10.202503181200-1111111.2222222';
    expect(newest([EXAMPLE, later, '17.9.202512311200-1111111.2222222'])).toBe(later);
    expect(newest([EXAMPLE, '17.10.202503180906-fffffff.fffffff'])).toBe(EXAMPLE);
    expect(newest([])).toBeNull();
    expect(() => newest(['17.10.0'])).toThrow(RangeError);
  });
});

describe('shas', () => {
  const short = '17.10.202503180906-6a387d3.c1c3e01';
  const other = '17.10.202503180906-6a387d4.c1c3e01';

  it('are equal as far as both are written', () => {
    expect(samePackage(EXAMPLE, short)).toBe(true);
    expect(conflictsWith(EXAMPLE, short)).toBe(false);
  });

  it('tell a conflict at one timestamp', () => {
    expect(samePackage(EXAMPLE, other)).toBe(false);
    expect(conflictsWith(EXAMPLE, other)).toBe(true);
    expect(conflictsWith(EXAMPLE, '17.10.202503180906-6a387d336a7.c1c3e019999')).toBe(true);
    expect(conflictsWith(EXAMPLE, '17.10.202503180907-6a387d4.c1c3e01')).toBe(false);
  });

  test.each([
    ['the sha itself', '6a387d336a7', true],
    ['the full sha', '6a387d336a7ffffffffffffffffffffffffffffff', true],
    ['seven of it', '6a387d3', true],
    ['six of it', '6a387d', false],
    ['the omnibus sha', 'c1c3e017782', false],
    ['nothing', '', false],
    ['upper case', '6A387D336A7', false],
  ])('match a revision: %s → %s', (_what, revision, matches) => {
    expect(revisionMatches(EXAMPLE, revision)).toBe(matches);
  });

  it('prove nothing for what is no package', () => {
    expect(revisionMatches('17.10.0', '6a387d336a7')).toBe(false);
  });
});

describe('for any packages', () => {
  const sha = fc.stringMatching(/^[0-9a-f]{7,40}$/);
  const two = (n: number) => String(n).padStart(2, '0');
  const timestamp = fc
    .tuple(
      fc.integer({ min: 2020, max: 2030 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 28 }),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
    )
    .map(([y, ...rest]) => `${y}${rest.map(two).join('')}`);
  const aPackage = fc
    .tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 12 }), timestamp, sha, sha)
    .map(([major, minor, at, gitlab, omnibus]) => `${major}.${minor}.${at}-${gitlab}.${omnibus}`);
  const numbers = (v: string) => v.split('-')[0];

  it('the order is antisymmetric, and 0 only at equal numbers', () => {
    fc.assert(
      fc.property(aPackage, aPackage, (a, b) => {
        expect(Math.sign(comparePackages(a, b))).toBe(0 - Math.sign(comparePackages(b, a)));
        expect(comparePackages(a, b) === 0).toBe(numbers(a) === numbers(b));
      }),
    );
  });

  it('the order is transitive and total', () => {
    fc.assert(
      fc.property(fc.array(aPackage, { minLength: 3, maxLength: 8 }), (versions) => {
        const sorted = [...versions].sort(comparePackages);
        for (let i = 0; i < sorted.length; i++) {
          for (const later of sorted.slice(i))
            expect(comparePackages(sorted[i] as string, later)).toBeLessThanOrEqual(0);
        }
        expect(numbers(newest(versions) as string)).toBe(numbers(sorted.at(-1) as string));
      }),
    );
  });

  it('a sha cut short anywhere from 7 on names the same package and revision', () => {
    fc.assert(
      fc.property(aPackage, fc.integer({ min: 7, max: 40 }), (version, length) => {
        const { gitlabSha = '', omnibusSha = '' } = parsePackage(version) ?? {};
        const cut = `${numbers(version)}-${gitlabSha.slice(0, length)}.${omnibusSha.slice(0, length)}`;
        expect(samePackage(version, cut) && samePackage(cut, version)).toBe(true);
        expect(conflictsWith(version, cut)).toBe(false);
        expect(revisionMatches(version, gitlabSha.slice(0, length))).toBe(true);
        expect(revisionMatches(cut, gitlabSha)).toBe(true);
      }),
    );
  });

  it('two at one place are the same or in conflict, never both', () => {
    fc.assert(
      fc.property(aPackage, sha, sha, (a, gitlab, omnibus) => {
        const b = `${numbers(a)}-${gitlab}.${omnibus}`;
        expect(samePackage(a, b)).toBe(!conflictsWith(a, b));
      }),
    );
  });
});
