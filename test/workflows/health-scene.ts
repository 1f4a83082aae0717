import type { Scene } from './support.js';

/** A day of the simulator's metrics takes ten minutes, so that its windows of five minutes take two seconds. */
const DAY = { dayMs: 600_000 };

export const AN_HOUR_AGO = new Date(Date.now() - 3_600_000).toISOString();

/** By a pattern, because the name of a recording rule of five minutes would be taken by its word. */
const series = (name: string, more = '') => `{__name__=~"${name}.+",cell="{{cell}}"${more}}`;
const SIGNALS = {
  apdex: { query: series('gitlab_service_apdex:ratio_', ',type="webservice"'), worse: 'lower', slo: 0.99, zScore: 3 },
  errors: {
    query: series('gitlab_service_errors:ratio_', ',type="webservice"'),
    worse: 'higher',
    slo: 0.005,
    zScore: 3,
  },
  traffic: { query: series('gitlab_service_ops:rate_', ',type="webservice"'), worse: 'both', zScore: 6 },
};

export const health = (more: Record<string, unknown> = {}) => ({
  health: {
    window: '5s',
    baseline: '10m',
    interval: '1s',
    minSamples: 3,
    inconclusiveTimeout: '30s',
    // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
    quiet: { signal: 'traffic', below: 0.001, for: '3s', then: 'smoke-tests' },
    signals: SIGNALS,
    ...more,
  },
});

/** A scene whose rings have signals, answered by the simulator. */
export const scene = (more: Scene & { health?: Record<string, unknown> } = {}): Scene => {
  const { health: own, ...rest } = more;
  return { rings: { 2: 3 }, prometheus: 'simulator', ...rest, simulator: DAY, more: health(own) };
};
