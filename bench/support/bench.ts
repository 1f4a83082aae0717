/** What a benchmark may be told on the command line. */
export interface BenchOptions {
  /** How often what is compared runs in turn. */
  pairs: number;
  /** Cells of the ring, where not as many as the benchmark's own. */
  cells?: number;
  /** Days, real seconds a day and seed of what is simulated, where not the benchmark's own. */
  days?: number;
  daySeconds?: number;
  seed?: number;
  /** Folder for what a result was made from, to look into it. */
  keep?: string;
  /** Takes a line about how it goes. */
  say: (line: string) => void;
}

export type Bound = { atLeast: number } | { atMost: number };

export interface Outcome {
  parameters: Record<string, unknown>;
  measured: Record<string, unknown>;
  /** What must hold of single numbers in `measured`. */
  targets: Record<string, Bound>;
}

export interface Bench {
  name: string;
  about: string;
  /** Whether it runs where none is named. */
  byDefault: boolean;
  run(options: BenchOptions): Promise<Outcome>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
