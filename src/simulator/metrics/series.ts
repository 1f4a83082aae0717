import { applicationVersion, revisionOf } from '../packages.js';
import {
  type CellModel,
  type CellPast,
  type Install,
  installAt,
  type MeasuredCell,
  type MetricsSettings,
  measuredCell,
} from './cell.js';
import { stepAt } from './clock.js';
import { deploymentHealth } from './deployment-health.js';
import { requestMeasures } from './requests.js';
import { saturation } from './saturation.js';
import { COMPONENTS, SERVICE_TYPES } from './services.js';
import type { Signal, Silence } from './strikes.js';

export const METRICS: Record<Signal, { name: string; help: string }> = {
  apdex: {
    name: 'gitlab_service_apdex:ratio_5m',
    help: 'Share of requests over 5 minutes that were fast enough',
  },
  errors: { name: 'gitlab_service_errors:ratio_5m', help: 'Share of requests over 5 minutes that failed' },
  traffic: { name: 'gitlab_service_ops:rate_5m', help: 'Requests a second over 5 minutes' },
  saturation: { name: 'gitlab_component_saturation:ratio', help: 'How full a component is, 0 to 1' },
  'deployment-health': {
    name: 'gitlab_deployment_health:service',
    help: '1 where the service is healthy enough to be deployed, 0 where it burns its error budget',
  },
  version: { name: 'gitlab_version_info', help: 'The package that runs' },
};

export type Labels = Readonly<Record<string, string>>;

/** One series as a function of time: its value, or undefined while it does not exist. */
export interface Series {
  signal: Signal;
  /** With `__name__`. */
  labels: Labels;
  at(nowMs: number): number | undefined;
}

/**
 * Every series of a cell. Values are functions of seed, cell and time, and of what happened to the cell; what happens
 * later changes none of them. What was counted is kept: ask for the series anew when the past has changed.
 */
export function seriesOf(model: CellModel, past: CellPast, settings: MetricsSettings): Series[] {
  const silences = past.strikes.filter((strike): strike is Silence => strike.does !== 'worsens');
  const make: MakeSeries = (signal, labels, valueAt) => {
    const mine = silences.filter((silence) => silence.signals.includes(signal));
    const at = mine.length === 0 ? valueAt : (nowMs: number) => silenced(mine, nowMs, valueAt);
    return { signal, labels: { __name__: METRICS[signal].name, ...labels }, at };
  };
  const cell = measuredCell(model, past, settings);
  const makeOfSteps: MakeSeries = (signal, labels, valueAt) =>
    make(signal, labels, (atMs) => valueAt(stepAt(settings.dayMs, atMs)));
  return [
    ...requestSeries(cell, makeOfSteps),
    ...COMPONENTS.map((component) =>
      makeOfSteps('saturation', { cell: cell.id, component }, saturation(cell, component)),
    ),
    ...(model.observed ? healthSeries(cell, model.observed, makeOfSteps) : []),
    ...versionSeries(cell.id, past.installs, make),
  ];
}

type MakeSeries = (signal: Signal, labels: Labels, valueAt: (at: number) => number | undefined) => Series;

const requestSeries = (cell: MeasuredCell, make: MakeSeries): Series[] =>
  SERVICE_TYPES.flatMap((type) => {
    const labels = { cell: cell.id, type };
    const measures = requestMeasures(cell, type);
    return [
      make('apdex', labels, (step) => measures(step).apdex),
      make('errors', labels, (step) => measures(step).errors),
      make('traffic', labels, (step) => measures(step).ops),
    ];
  });

const healthSeries = (cell: MeasuredCell, stage: Labels, make: MakeSeries): Series[] =>
  SERVICE_TYPES.map((type) => make('deployment-health', { ...stage, type }, deploymentHealth(cell, type)));

/** One series a package that the cell ever ran, there while it runs. */
function versionSeries(cell: string, installs: readonly Install[], make: MakeSeries): Series[] {
  const packages = [...new Set(installs.map((install) => install.version))];
  return packages.map((version) => {
    const labels = { cell, version: applicationVersion(version), revision: revisionOf(version) };
    return make('version', version === null ? labels : { ...labels, package: version }, (atMs) =>
      installAt(installs, atMs).version === version ? 1 : undefined,
    );
  });
}

function silenced(
  silences: Silence[],
  nowMs: number,
  valueAt: (atMs: number) => number | undefined,
): number | undefined {
  const now = silences.filter(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
  if (now.some(({ does }) => does === 'hides')) return undefined;
  return valueAt(Math.min(nowMs, ...now.map(({ fromMs }) => fromMs)));
}
