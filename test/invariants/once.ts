import type { Facts } from './facts.js';

/**
 * Works something out once for each log and key: the rules look at every job beside others, and the log of a year has tens
 * of thousands of them. What it answers is shared, and not to be changed.
 */
export function once<T>(work: (facts: Facts, key: string) => T): (facts: Facts, key: string) => T {
  const known = new WeakMap<Facts, Map<string, T>>();
  return (facts, key) => {
    const of = known.get(facts) ?? new Map<string, T>();
    known.set(facts, of);
    if (!of.has(key)) of.set(key, work(facts, key));
    return of.get(key) as T;
  };
}
