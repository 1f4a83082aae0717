/** 32 bits that depend only on the seed and the text. */
export function hashOf(seed: number, text: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return finalized(hash);
}

/** Murmur3's finalizer: FNV alone leaves the high bits of similar texts alike. */
export function finalized(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A number in [0, 1) that depends only on the seed and the text: the same job takes as long in every run. */
export const unitOf = (seed: number, text: string): number => hashOf(seed, text) / 2 ** 32;

/** How long a job takes: lognormal around its median, by Box-Muller. */
export function jobDurationMs(medianMs: number, spread: number, seed: number, key: string): number {
  const radius = Math.sqrt(-2 * Math.log(1 - unitOf(seed, `${key}#radius`)));
  const normal = radius * Math.cos(2 * Math.PI * unitOf(seed, `${key}#angle`));
  return medianMs * Math.exp(spread * normal);
}

/** A stream of numbers in [0, 1) (mulberry32). */
export function randomStream(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
