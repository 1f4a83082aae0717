/** A number of cells, or a share of a ring such as `20%`. */
export type Amount = number | `${number}%`;

/** `0%` to `100%`, with at most two decimals. */
export const SHARE_PATTERN = /^(100(\.0{1,2})?|\d{1,2}(\.\d{1,2})?)%$/;

/** `amount` as a number of cells out of `total`: a share is rounded up, and the answer is at least 1. Throws RangeError. */
export const resolveAtLeastOne = (amount: Amount, total: number): number =>
  Math.max(1, resolve(amount, total, Math.ceil));

/** `amount` as a number of cells out of `total`: a share is rounded down. Throws RangeError on what is not an amount. */
export const resolveDown = (amount: Amount, total: number): number => resolve(amount, total, Math.floor);

function resolve(amount: Amount, total: number, round: (x: number) => number): number {
  if (typeof amount === 'number') return amount;
  if (!SHARE_PATTERN.test(amount)) throw new RangeError(`not a share between 0% and 100%: ${JSON.stringify(amount)}`);
  // Hundredths of a percent are whole numbers; 0.07 * 100 would be 7.000000000000001, and round up to 8.
  const hundredths = Math.round(Number(amount.slice(0, -1)) * 100);
  return round((hundredths * total) / 10_000);
}
