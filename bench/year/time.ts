const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const DAY_MS = DAY_HOURS * HOUR_MS;

/** The year in which the major release would have been 0. */
const FIRST_YEAR = 2027 - 18;
/** The first day of the simulated year. */
const FIRST_DAY_MS = Date.parse('2027-01-01T00:00:00Z');

/** How the simulated year and real time meet: a day of the one takes `dayMs` of the other. */
export class SimulatedTime {
  constructor(
    readonly dayMs: number,
    private readonly startedAtMs: number,
  ) {}

  /** Real epoch ms of an hour of a day; the first day is 0. */
  at(day: number, hour = 0): number {
    return this.startedAtMs + (day + hour / DAY_HOURS) * this.dayMs;
  }

  /** The same as an instant that can be written into a topology or an order. */
  instant(day: number, hour = 0): string {
    return new Date(this.at(day, hour)).toISOString();
  }

  /** Days since the year began, with fractions. */
  dayOf(realMs: number): number {
    return (realMs - this.startedAtMs) / this.dayMs;
  }

  /** Epoch ms within the simulated year. */
  simulated(realMs: number): number {
    return FIRST_DAY_MS + this.dayOf(realMs) * DAY_MS;
  }

  /** Simulated hours that a real time takes. */
  hoursOf(realMs: number): number {
    return (realMs / this.dayMs) * DAY_HOURS;
  }

  /** Real ms of simulated hours. */
  realOf(hours: number): number {
    return (hours / DAY_HOURS) * this.dayMs;
  }

  /**
   * A policy's duration in whole real seconds, which is what a topology can say: the scaled one, but never less than what
   * the real machine needs for it.
   */
  duration(hours: number, atLeastSeconds: number): string {
    return `${Math.max(atLeastSeconds, Math.round(this.realOf(hours) / 1_000))}s`;
  }
}

/** The date of a day of the year, UTC. */
export const dateOf = (day: number): Date => new Date(FIRST_DAY_MS + day * DAY_MS);

/** `2027-01` */
export const monthOf = (day: number): string => dateOf(day).toISOString().slice(0, 7);

export const isWeekend = (day: number): boolean => [0, 6].includes(dateOf(day).getUTCDay());

/** A package built on a day; `n`: the how manieth of that day. */
export function packageOf(day: number, n = 0): string {
  const date = dateOf(day);
  // A minor release a month, a major one a year: no stop of the upgrade path is left out.
  const [major, minor] = [date.getUTCFullYear() - FIRST_YEAR, date.getUTCMonth()];
  const timestamp = `${date.toISOString().slice(0, 10).replaceAll('-', '')}0${3 + n}00`;
  const salt = (by: number) => (((day * 10 + n + 100) * 2_654_435_761 + by) % 2 ** 44).toString(16).padStart(11, '0');
  return `${major}.${minor}.${timestamp}-${salt(0x6a387d3)}.${salt(0xc1c3e01)}`;
}
