import { formatDuration } from '../domain/duration.js';

/** The two largest units: `2d 3h`, `4m 10s`, `7s`. */
export function roughly(ms: number): string {
  if (ms < 1000) return '0s';
  return formatDuration(ms - (ms % 1000))
    .split(' ')
    .slice(0, 2)
    .join(' ');
}

export const ago = (instant: string, now: number): string => `${roughly(now - Date.parse(instant))} ago`;

/** In UTC, the day only where it is another one: `10:15:00Z`, `2026-12-23 10:15Z`. */
export function clock(instant: string, now: number): string {
  const text = new Date(Date.parse(instant)).toISOString();
  const day = text.slice(0, 10);
  const sameDay = day === new Date(now).toISOString().slice(0, 10);
  return sameDay ? `${text.slice(11, 19)}Z` : `${day} ${text.slice(11, 16)}Z`;
}

/** Both ways to say when something ends: `until 10:15:00Z (in 4m 10s)`. */
export function until(instant: string, now: number): string {
  const left = Date.parse(instant) - now;
  return `until ${clock(instant, now)} (${left > 0 ? `in ${roughly(left)}` : 'now'})`;
}
