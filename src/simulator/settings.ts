/** How the simulated world behaves where no fault says otherwise. */
export interface Settings {
  seed: number;
  /** Median time of a job; 0 is instant. */
  durationMs: number;
  /** Sigma of the lognormal distribution of job times. */
  spread: number;
  /** What a day takes in the cells' metrics. */
  dayMs: number;
  /** What a tenant runs that nobody has deployed yet; null: nothing that AMP knows of. */
  initialVersion: string | null;
  initialChartVersion: string | null;
}
