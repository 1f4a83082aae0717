import type { Problem } from '../contract/problem.js';

/** Whether the numbers name a minute that exists in the Gregorian calendar, from 2000 on; months and days count from 1. */
export function isCalendarMinute(year: number, month: number, day: number, hour: number, minute: number): boolean {
  if (year < 2000 || year > 9999 || hour > 23 || minute > 59) return false;
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

const INSTANT = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Reads RFC 3339 with an offset, e.g. `2026-12-23T01:00:00+01:00`: ms since 1970, or null for anything else. */
export function parseInstant(text: string): number | null {
  const match = INSTANT.exec(text);
  if (!match) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  // The engine rolls 30 February over into March, so the calendar is asked first.
  if (second > 59 || !isCalendarMinute(year, month, day, hour, minute)) return null;
  const ms = Date.parse(text.toUpperCase());
  return Number.isNaN(ms) ? null : ms;
}

/** The first of these instants, in epoch ms; null where there are none. */
export const earliest = (instants: number[]): number | null => (instants.length === 0 ? null : Math.min(...instants));

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const DAY_MS = 86_400_000;

/** Reads the end of a time span: an RFC 3339 instant, or a day (`2026-12-31`), which ends at midnight UTC after it. */
export function parseUntil(text: string): number | null {
  const match = DAY.exec(text);
  if (!match) return parseInstant(text);
  const [year = 0, month = 0, day = 0] = match.slice(1).map(Number);
  return isCalendarMinute(year, month, day, 0, 0) ? Date.UTC(year, month - 1, day) + DAY_MS : null;
}

/** When something is over by itself, epoch ms; Infinity: never. */
export const expiryOf = ({ expiresAt }: { expiresAt?: string | undefined }): number =>
  expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);

/** What is wrong with an expiry that a person gives, or null: what is over before it begins was not meant so. */
export const judgeExpiry = (expiresAt: string | undefined, now: number): Problem | null =>
  expiresAt === undefined || Date.parse(expiresAt) > now
    ? null
    : { path: 'expiresAt', value: expiresAt, expected: 'an instant in the future' };
