import { describe, expect, test } from 'vitest';
import { parseInstant, parseUntil } from '../../src/domain/instant.js';

describe('an instant', () => {
  test.each([
    ['2026-12-23T00:00:00Z', '2026-12-23T00:00:00.000Z'],
    ['2026-12-23T01:00:00+01:00', '2026-12-23T00:00:00.000Z'],
    ['2024-02-29t12:00:00.25z', '2024-02-29T12:00:00.250Z'],
  ])('%s is read', (text, iso) => {
    expect(parseInstant(text)).toBe(Date.parse(iso));
  });

  test.each([
    '2026-12-23T00:00:00',
    '2026-12-23',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    'soon',
    '',
  ])('is not %j', (text) => {
    expect(parseInstant(text)).toBeNull();
  });

  test('as the end of a span may be a day, which is included', () => {
    expect(parseUntil('2026-12-31')).toBe(Date.parse('2027-01-01T00:00:00Z'));
    expect(parseUntil('2026-12-31T00:00:00Z')).toBe(Date.parse('2026-12-31T00:00:00Z'));
    expect(parseUntil('2026-02-30')).toBeNull();
  });
});
