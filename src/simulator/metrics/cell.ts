import { once, positionAt, STEPS_A_DAY } from './clock.js';
import { normalAt, streamOf } from './draws.js';
import { loadAt, loadStreams } from './load.js';
import { type Regression, type Strike, worseningIn } from './strikes.js';

/** What a cell is, as far as its metrics go. */
export interface CellModel {
  id: string;
  /** Cells of one region are busy together; '' where none is known. */
  region: string;
  /** Nobody uses it. */
  quiet: boolean;
  /** Where it is only observed: of which stage of which environment its deployment health speaks. */
  observed: { env: string; stage: string } | null;
}

/** Since when a cell runs a package; the same one again is a restart. */
export interface Install {
  atMs: number;
  version: string | null;
}

/** What happened to a cell. Installs in order of time; one at epoch 0 was always there. */
export interface CellPast {
  installs: readonly Install[];
  strikes: readonly Strike[];
}

export interface MetricsSettings {
  seed: number;
  /** What a day takes: every curve, window and swing goes along with it. */
  dayMs: number;
}

/** One cell as its measures see it: its own constants, and functions of steps. */
export interface MeasuredCell {
  id: string;
  seed: number;
  /** Requests a second on an average day. */
  rate: number;
  /** How much slower, and how much more error-prone, than the average cell. */
  slowness: number;
  frailty: number;
  /** 1 is the usual traffic. */
  loadAt(step: number): number;
  /** 1 right after a restart, nearly 0 some minutes later. */
  coldnessAt(step: number): number;
  /** Steps since the last restart; Infinity where there was none. */
  sinceRestart(step: number): number;
  /** How much worse a signal is over these steps, up to the start of the last one. */
  worsening(about: Parameters<typeof worseningIn>[1], fromStep: number, toStep: number): number;
}

const MEDIAN_RATE = 60;
/** The Legacy Cell is much larger than a cell. */
const OBSERVED_RATE = 3000;
/** After a restart caches are cold for some minutes. */
const COLD_STEPS = 3;

export function measuredCell(model: CellModel, past: CellPast, { seed, dayMs }: MetricsSettings): MeasuredCell {
  const draw = (what: string, sigma: number): number =>
    Math.exp(sigma * normalAt(streamOf(seed, `${what}/${model.id}`), 0));
  const usual = model.observed === null ? MEDIAN_RATE * draw('rate', 0.8) : OBSERVED_RATE;
  const load = loadStreams(seed, model.id, model.region);
  const msAStep = dayMs / STEPS_A_DAY;
  const regressions = past.strikes.filter((strike): strike is Regression => strike.does === 'worsens');
  const sinceRestart = (step: number): number => {
    const { atMs } = installAt(past.installs, (step + 1) * msAStep);
    return atMs === 0 ? Number.POSITIVE_INFINITY : Math.max(0, step - positionAt(dayMs, atMs));
  };
  return {
    id: model.id,
    seed,
    rate: model.quiet ? 0 : usual,
    slowness: draw('slowness', 0.25),
    frailty: draw('frailty', 0.25),
    loadAt: once((step) => loadAt(load, step)),
    coldnessAt: (step) => Math.exp(-sinceRestart(step) / COLD_STEPS),
    sinceRestart,
    worsening: (about, fromStep, toStep) => worseningIn(regressions, about, fromStep * msAStep, toStep * msAStep),
  };
}

/** The package that runs at a moment, and since when; before all that is known, the first one, since ever. */
export function installAt(installs: readonly Install[], atMs: number): Install {
  for (let i = installs.length - 1; i >= 0; i -= 1) {
    const install = installs[i] as Install;
    if (install.atMs <= atMs) return install;
  }
  return { atMs: 0, version: installs[0]?.version ?? null };
}
