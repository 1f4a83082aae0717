/** One thing that is wrong with an input: where it stands, what stands there, and what was expected instead. */
export interface Problem {
  /** Path into the input, e.g. `rings[2].cells[0].id`. */
  path: string;
  /** A short rendering of the value found. */
  value: string;
  /** What is expected, in plain words. */
  expected: string;
}
