import { describe, expect, it } from 'vitest';
import { presence, usualPresence } from '../../../src/domain/health/few-events.js';

/** In every third block of the past is a bad event. */
const PAST = Float64Array.from({ length: 288 }, (_, k) => (k % 3 === 0 ? 0.001 : 0));
const usual = usualPresence(PAST, 12);
const seen = (blocks: number) => Float64Array.from({ length: 12 }, (_, k) => (k < blocks ? 0.001 : 0));

describe('how many blocks have a bad event', () => {
  it('is a number, and no deviation, where with so much traffic every block has one', () => {
    for (const ratio of [100, 1e6]) {
      expect(usual && presence(usual, seen(12), ratio).most).toBeCloseTo(0, 2);
      expect(usual && presence(usual, seen(0), ratio).most).toBeCloseTo(0, 2);
    }
  });

  it('is unusual where more have one than in the past', () => {
    expect(usual && presence(usual, seen(11), 1).most).toBeGreaterThan(3);
    expect(usual && presence(usual, seen(4), 1).most).toBeLessThan(1);
  });
});
