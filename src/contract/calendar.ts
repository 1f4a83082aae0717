/** When a ring may be taken forward: deploy windows and freezes. Instants are epoch ms. */

export type Day = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

/** Times of day as a clock on the wall of that time zone shows them; `days` are those on which a window begins. */
export interface DeployWindow {
  days: Day[];
  /** `"07:00"`. */
  from: string;
  /** `"18:00"`, at most `"24:00"`; before `from`: on the next day. */
  to: string;
  /** IANA, e.g. `Europe/Berlin`. */
  timezone: string;
}

/** RFC 3339 instants with their offsets. */
export interface Freeze {
  from: string;
  to: string;
  reason?: string | undefined;
}

/** Without windows any time is good. */
export interface Calendar {
  windows: DeployWindow[];
  /** Windows of which one must be open as well: a lane's beside its ring's. */
  alsoWithin?: DeployWindow[] | undefined;
  freezes: Freeze[];
}

/** What a calendar says now; it says the same until `untilMs`, and nothing about what comes then. */
export interface CalendarWord {
  untilMs: number;
  /** The freeze that holds; null: none does. */
  freeze: { untilMs: number; reason: string } | null;
  /** Outside every window, until then, null: nobody knows until when; null: a window is open. */
  window: { untilMs: number | null } | null;
  /** Where something holds: when next nothing does; null: it is not known to open again. */
  opensMs: number | null;
  /** The next times in which nothing holds, this one included; left out by an older worker. */
  openings?: Opening[];
}

/** A time in which nothing holds; `toMs` null: no end of it is known. */
export interface Opening {
  fromMs: number;
  toMs: number | null;
}

export const CALENDAR_WAITS = ['deploy-window', 'freeze'] as const;
export type CalendarWait = (typeof CALENDAR_WAITS)[number];

/** A person's word that one such wait is over, for one package in one ring: until the opening that the wait named. */
export interface Waiver {
  wait: CalendarWait;
  /** Null: no opening was known. */
  untilMs: number | null;
}
