/** The closed set of `ApplicationFailure` types. */
export const FAILURE = {
  /** A message that only the cluster could judge was refused; details `{path, value, expected}`. */
  rejected: 'Rejected',
  /** A brake is on, but not everybody it stops has answered in time; it stays on. */
  brakeUnconfirmed: 'BrakeUnconfirmed',
  /** AMP cannot be reached, or answers only errors: no cell's fault. */
  ampUnavailable: 'AmpUnavailable',
  /** AMP, or a cell's API, does not accept our token (401, 403): no cell's fault. */
  accessDenied: 'AccessDenied',
  /** Prometheus cannot be asked, or there is none: nothing is known of any cell's health, and no cell is at fault. */
  healthUnavailable: 'HealthUnavailable',
  /** No run of the cell cluster says which cells there are: none was ever started, or the one there is answers no query. */
  clusterUnknown: 'ClusterUnknown',
  /** The watching of a job stopped without anybody having asked to cancel it; another attempt goes on. */
  watchInterrupted: 'WatchInterrupted',
  /** No worker has the ledger open, so that nobody can read it. */
  ledgerUnserved: 'LedgerUnserved',
  /** The ledger's database does not answer. */
  ledgerUnavailable: 'LedgerUnavailable',
  /** A workflow was started with an argument that cannot be used. */
  badArgument: 'BadArgument',
} as const;

/** How a query ends that met events which no workflow task had brought; asked again, it is answered. */
export const AHEAD_OF_ITS_TASK = 'the query came between two workflow tasks; ask again';

export type FailureType = (typeof FAILURE)[keyof typeof FAILURE];
