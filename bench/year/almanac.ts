import { Random } from '../health/random.js';
import { dateOf, isWeekend, packageOf } from './time.js';
import { firstTown, OUTER_RINGS, RESERVES } from './town.js';

/** What happens in the year, drawn from a seed before it begins: what comes of it is the coordinator's. */
export type Happening = { day: number; hour: number } & (
  | Release
  | { what: 'fault'; fault: FaultWords; hours?: number }
  | {
      what: 'brake';
      brakeId: string;
      scope: BrakeWords['scope'];
      mode: BrakeWords['mode'];
      hours: number;
      expires: boolean;
    }
  | { what: 'quarantine'; cell: string; hours: number }
  | { what: 'join'; cell: string; ring: number }
  | { what: 'leave'; cell: string; ring: number }
  | { what: 'freeze'; fromDay: number; toDay: number; reason: string }
  | { what: 'rollback' }
  | { what: 'worker-dies' }
  | { what: 'server-dies' }
);

export interface Release {
  what: 'release';
  version: string;
  urgent: boolean;
  preempt: boolean;
  /** What every cell that gets it meets; absent: nothing. */
  bad?: FaultWords;
}

/** A fault as the simulator takes it. */
export type FaultWords = { kind: string } & Record<string, unknown>;

interface BrakeWords {
  scope: 'cluster' | 'outer' | { ring: number };
  mode: 'finish-ring' | 'finish-cells' | 'cancel-cells';
}

/** How often things happen; per day unless said otherwise. */
const RATES = {
  jobFails: 0.5,
  slow: 0.3,
  busy: 0.15,
  lostAnswers: 0.12,
  ampErrors: 0.12,
  notReady: 0.06,
  hangs: 0.06,
  unreachable: 0.04,
  smokeTestsFail: 0.02,
  pdmFails: 0.03,
  rollbackFails: 0.02,
  changedByHand: 0.01,
  tokenRefused: 0.006,
  hotfix: 2 / 30,
  badPackage: 1 / 28,
  brake: 0.1,
  quarantine: 2 / 30,
  join: 1 / 20,
  leave: 1 / 30,
  packageRollback: 1 / 85,
} as const;

const WEEK = 7;
const QUARTER = 91;

/** Everything that happens in so many days, in order. */
export function almanacOf(days: number, seed: number): Happening[] {
  const random = new Random(seed);
  const town = new Neighbours();
  const frozen = frozenDays(days);
  const all: Happening[] = [...freezesOf(frozen)];
  for (let day = 0; day < days; day += 1) {
    const today = random.fork();
    all.push(...releasesOf(day, today, frozen), ...faultsOf(day, today, town), ...peopleOf(day, today, town));
    if (day % WEEK === 3) all.push({ day, hour: today.between(0, 23), what: 'worker-dies' });
    if (day % QUARTER === 45) all.push({ day, hour: today.between(0, 23), what: 'server-dies' });
  }
  return all.filter(({ day }) => day < days).sort((a, b) => a.day - b.day || a.hour - b.hour);
}

/** Who lives where, as far as the almanac knows. */
class Neighbours {
  readonly #rings = firstTown().rings;
  readonly #reserves = [...RESERVES];

  anyone(random: Random): { cell: string; ring: number } {
    const ring = random.pick(OUTER_RINGS);
    return { ring, cell: random.pick(this.#rings[ring] ?? []) };
  }

  /** In proportion to the rings' sizes. */
  anyCell(random: Random): string {
    return random.pick(Object.values(this.#rings).flat());
  }

  /** The smallest ring stays as it is. */
  join(random: Random): { cell: string; ring: number } | null {
    const cell = this.#reserves.shift();
    const ring = random.pick(OUTER_RINGS.slice(1));
    if (cell === undefined) return null;
    this.#rings[ring]?.push(cell);
    return { cell, ring };
  }

  leave(random: Random): { cell: string; ring: number } {
    const ring = random.pick(OUTER_RINGS.slice(1));
    const cell = random.pick(this.#rings[ring] ?? []);
    this.#rings[ring] = (this.#rings[ring] ?? []).filter((one) => one !== cell);
    return { cell, ring };
  }
}

/** The first and last days of the year, and one day a month for friends and family. */
function frozenDays(days: number): Map<number, string> {
  const frozen = new Map<number, string>();
  for (let day = 0; day < days; day += 1) {
    const date = dateOf(day);
    const [month, inMonth] = [date.getUTCMonth(), date.getUTCDate()];
    if ((month === 0 && inMonth <= 2) || (month === 11 && inMonth >= 22)) frozen.set(day, 'holidays');
    else if (date.getUTCDay() === 5 && inMonth >= 15 && inMonth < 22) frozen.set(day, 'friends and family');
  }
  return frozen;
}

/** Each freeze is written into the topology two days before it begins. */
function freezesOf(frozen: Map<number, string>): Happening[] {
  return [...frozen].flatMap(([day, reason]) => {
    if (frozen.has(day - 1)) return [];
    let toDay = day + 1;
    while (frozen.has(toDay)) toDay += 1;
    return [{ day: Math.max(0, day - 2), hour: 0.1, what: 'freeze' as const, fromDay: day, toDay, reason }];
  });
}

function releasesOf(day: number, random: Random, frozen: Map<number, string>): Happening[] {
  const bad = random.chance(RATES.badPackage) ? badness(packageOf(day), random) : undefined;
  const isHotfix = random.chance(RATES.hotfix);
  const preempt = random.chance(0.5);
  if (frozen.has(day)) return [];
  const usual: Release = { what: 'release', version: packageOf(day), urgent: false, preempt: false };
  const hotfix: Release = { what: 'release', version: packageOf(day, 1), urgent: true, preempt };
  return [
    ...(isWeekend(day) ? [] : [{ day, hour: 3, ...usual, ...(bad ? { bad } : {}) }]),
    ...(isHotfix ? [{ day, hour: 15, ...hotfix }] : []),
  ];
}

/** What is wrong with a package: its job fails everywhere, or some while later cells are not ready any more. */
function badness(version: string, random: Random): FaultWords {
  if (random.chance(0.5)) return { kind: 'job-fails', version, jobKind: 'configure', error: 'assets are missing' };
  return { kind: 'not-ready-after', version, delayMs: Math.round(random.between(0, 1_500)) };
}

function faultsOf(day: number, random: Random, town: Neighbours): Happening[] {
  const found: Happening[] = [];
  const maybe = (rate: number, fault: () => FaultWords, hours?: number) => {
    if (!random.chance(rate)) return;
    found.push({ day, hour: random.between(0, 24), what: 'fault', fault: fault(), ...(hours ? { hours } : {}) });
  };
  const once = (more: Record<string, unknown> = {}) => ({ cell: town.anyCell(random), times: 1, ...more });
  const half = () => random.chance(0.5);
  const stage = () => random.pick(['queued', 'install', 'finish']);
  maybe(RATES.jobFails, () => ({
    kind: 'job-fails',
    ...once({ jobKind: 'configure', stage: stage(), switched: half() }),
  }));
  maybe(RATES.slow, () => ({ kind: 'slow', ...once({ factor: random.pick([4, 10]) }) }));
  maybe(RATES.busy, () => ({
    kind: 'tenant-busy',
    cell: town.anyCell(random),
    forMs: Math.round(random.between(500, 5_000)),
  }));
  maybe(
    RATES.lostAnswers,
    () => ({ kind: 'answer-lost', share: 0.3, times: 5, method: random.pick(['POST', 'GET']) }),
    8,
  );
  maybe(
    RATES.ampErrors,
    () => ({ kind: 'error-share', share: 0.3, status: random.pick([500, 502, 503]), processed: half() }),
    8,
  );
  maybe(RATES.notReady, () => ({ kind: 'not-ready', cell: town.anyCell(random) }), 12);
  maybe(RATES.hangs, () => ({ kind: 'job-hangs', ...once({ jobKind: 'configure' }) }));
  maybe(RATES.unreachable, () => ({ kind: 'unreachable', cell: town.anyCell(random) }), 12);
  maybe(RATES.smokeTestsFail, () => ({ kind: 'job-fails', jobKind: 'smoke_tests', times: 1 }));
  maybe(RATES.pdmFails, () => ({ kind: 'pdm-fails', ...once({ error: 'a column is missing' }) }));
  maybe(RATES.rollbackFails, () => ({ kind: 'rollback-fails', times: 1, switched: half() }));
  if (day > WEEK)
    maybe(RATES.changedByHand, () => ({
      kind: 'changed-by-hand',
      cell: town.anyCell(random),
      version: packageOf(day - 4),
    }));
  maybe(RATES.tokenRefused, () => ({ kind: 'error-share', share: 1, status: 401 }), 6);
  return found;
}

function peopleOf(day: number, random: Random, town: Neighbours): Happening[] {
  const hour = () => random.between(1, 23);
  const found: Happening[] = [];
  if (random.chance(RATES.brake)) {
    const { ring } = town.anyone(random);
    const scope = random.pick<BrakeWords['scope']>(['outer', 'outer', 'cluster', { ring }]);
    const mode = random.pick<BrakeWords['mode']>(['finish-cells', 'finish-cells', 'finish-ring', 'cancel-cells']);
    const hours = random.between(6, 30);
    const expires = random.chance(0.5);
    found.push({ day, hour: hour(), what: 'brake', brakeId: `incident-${day}`, scope, mode, hours, expires });
  }
  if (random.chance(RATES.quarantine)) {
    found.push({ day, hour: hour(), what: 'quarantine', cell: town.anyCell(random), hours: random.between(24, 96) });
  }
  const comes = random.chance(RATES.join) ? town.join(random) : null;
  if (comes) found.push({ day, hour: hour(), what: 'join', ...comes });
  if (random.chance(RATES.leave)) found.push({ day, hour: hour(), what: 'leave', ...town.leave(random) });
  if (random.chance(RATES.packageRollback) && !isWeekend(day)) found.push({ day, hour: hour(), what: 'rollback' });
  return found;
}
