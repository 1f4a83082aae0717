import { average, type Estimate, share } from './intervals.js';
import type { Outcome } from './rollout.js';
import type { Fault, Scenario } from './scenario.js';
import { BOOTSTRAP_SEED } from './seeds.js';

/** What came of one rollout under one judge. */
export interface Trial {
  scenario: Scenario;
  /** The fault shows on a quiet cell only, whose shares of requests are not asked: smoke tests decide there. */
  unasked: boolean;
  outcome: Outcome;
}

export interface Score {
  /** Good packages stopped, of all good ones. */
  goodStopped: Estimate | null;
  /** Bad packages stopped after they had done something, of those with a fault of the objective's size or more. */
  recall: Estimate | null;
  /** The same of those that show on a quiet cell only, which `recall` leaves out. */
  recallUnasked: Estimate | null;
  /** The same of smaller faults, which keep the objective. */
  recallSmall: Estimate | null;
  /** Stops that were right, of all stops. */
  precision: Estimate | null;
  /** Cells that a package bad on all of them had reached when it was stopped, or at the end. */
  exposed: Estimate | null;
  /** From the first broken cell's deployment until the stop, where there was one. */
  minutesToStop: Estimate | null;
  /** How long a good package that was not stopped took. */
  goodMinutes: Estimate | null;
}

export const isOfObjective = ({ size }: Fault): boolean => size >= 1;

const wasCaught = ({ outcome }: Trial): boolean => outcome.stopped && outcome.exposed > 0;

export function scoreOf(trials: readonly Trial[]): Score {
  const good = trials.filter(({ scenario }) => scenario.fault === null);
  const bad = trials.filter(({ scenario }) => scenario.fault !== null);
  const ofObjective = ({ scenario }: Trial) => scenario.fault !== null && isOfObjective(scenario.fault);
  const large = bad.filter((trial) => ofObjective(trial) && !trial.unasked);
  const unasked = bad.filter((trial) => ofObjective(trial) && trial.unasked);
  const small = bad.filter((trial) => !ofObjective(trial));
  const stops = trials.filter(({ outcome }) => outcome.stopped);
  const everywhere = large.filter(({ scenario }) => scenario.fault?.on === 'all');
  const caught = large.filter(wasCaught);
  const mean = (values: readonly number[]) => average(values, BOOTSTRAP_SEED);
  return {
    goodStopped: share(
      count(good, ({ outcome }) => outcome.stopped),
      good.length,
    ),
    recall: share(caught.length, large.length),
    recallUnasked: share(count(unasked, wasCaught), unasked.length),
    recallSmall: share(count(small, wasCaught), small.length),
    precision: share(
      count(stops, (trial) => trial.scenario.fault !== null && wasCaught(trial)),
      stops.length,
    ),
    exposed: mean(everywhere.map(({ outcome }) => outcome.exposed)),
    minutesToStop: mean(caught.flatMap(({ outcome }) => outcome.minutesToStop ?? [])),
    goodMinutes: mean(good.filter(({ outcome }) => !outcome.stopped).map(({ outcome }) => outcome.minutes)),
  };
}

const count = <T>(list: readonly T[], holds: (item: T) => boolean): number => list.filter(holds).length;

/** Scores of bad packages by what is wrong with them: kind, where, and whether it is of the objective's size. */
export function scoresByKind(trials: readonly Trial[]): Map<string, Score> {
  const groups = new Map<string, Trial[]>();
  for (const trial of trials) {
    const { fault } = trial.scenario;
    if (fault === null) continue;
    const where = fault.on === 'all' ? 'all cells' : 'one cell';
    const key = `${fault.kind}, size ${fault.size}, ${trial.unasked ? 'one quiet cell' : where}`;
    groups.set(key, [...(groups.get(key) ?? []), trial]);
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, group]) => [key, scoreOf(group)]));
}
