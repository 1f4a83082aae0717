/** What holds where a topology says nothing; written as in the file. */
export const POLICY_DEFAULTS = {
  maxParallel: 25,
  firstCells: 1,
  failureBudget: 0,
  strictBudget: false,
  onFailure: 'block',
  autoRollback: 'cell',
  downtimeRollback: 'never',
  deployToUnhealthy: false,
  bakeTime: '1h',
  scope: 'application',
  postDeployMigrations: 'separate',
  gracePeriod: '30m',
  migrateWhen: 'grace',
  approval: 'none',
  smokeTests: false,
  mode: 'act',
  convergeWithin: '4h',
  deployTimeout: '2h',
  cancelTimeout: '15m',
  verifyTimeout: '2m',
  pollInterval: '5s',
} as const;

export const COORDINATION_DEFAULTS = {
  maxDrift: 1,
  supersede: 'waiting',
  requireRing0: false,
  graduationTimeout: '7d',
  graduationExpectedEvery: '36h',
  reconcileEvery: '15m',
  reconcileHandChanges: 'report',
  lookEvery: '1m',
} as const;

/** How cells are judged; signals: none unless written. */
export const HEALTH_DEFAULTS = {
  window: '10m',
  baseline: '1d',
  interval: '30s',
  minSamples: 10,
  onInconclusive: 'hold',
  inconclusiveTimeout: '2h',
  mode: 'enforce',
  // biome-ignore lint/suspicious/noThenProperty: the file's word; the value beside it is no function.
  quiet: { signal: 'traffic', below: 1, for: '10m', then: 'smoke-tests' },
} as const;

/** More cells in flight than these would overrun the history and the start of children of one pass. */
export const MAX_PARALLEL = 500;

/** Of one policy: each is looked at whenever a ring's calendar is asked. */
export const MAX_WINDOWS = 20;
export const MAX_FREEZES = 50;
/** A longer one is a mistyped year, or nobody's to lift. */
export const MAX_FREEZE_DAYS = 366;
