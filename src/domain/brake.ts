import type { BrakesHold, BrakesNumber } from '../contract/internal.js';
import type { BrakeMode, BrakeScope, BrakeStatus } from '../contract/status.js';
import { earliest } from './instant.js';

/**
 * Brakes are a plain list, newest last; functions answer a new list or a verdict and change nothing, but for the answers of
 * passes that they are given to take note of.
 */

/** Who engages the brakes that nobody else did. Only a person releases them. */
export const COORDINATOR = 'coordinator';

export interface NewBrake {
  brakeId: string;
  scope: BrakeScope;
  mode: BrakeMode;
  by: string;
  reason: string;
  expiresAt?: string | undefined;
  url?: string | undefined;
}

/** Every list of brakes that a pass is told has all of them in it. */
export const MAX_BRAKES = 50;

/** Why one more brake cannot be engaged, as what was expected; null: it can. One with the same id takes no more room. */
export function whyNoRoom(brakes: BrakeStatus[], brakeId: string | undefined): string | null {
  if (brakes.length < MAX_BRAKES || brakes.some((b) => b.brakeId === brakeId)) return null;
  return `at most ${MAX_BRAKES} brakes that are on; release one, or replace one by its id: ${brakes[0]?.brakeId}, …`;
}

/** Adds a brake; one with the same id takes the earlier one's place. */
export function engage(brakes: BrakeStatus[], brake: NewBrake, now: number): BrakeStatus[] {
  const { expiresAt, url, ...rest } = brake;
  const entry: BrakeStatus = { ...rest, since: new Date(now).toISOString() };
  if (expiresAt !== undefined) entry.expiresAt = new Date(Date.parse(expiresAt)).toISOString();
  if (url !== undefined) entry.url = url;
  return [...brakes.filter((b) => b.brakeId !== brake.brakeId), entry];
}

/** Whether two brakes say the same, whenever they were engaged. */
export function isSameBrake(a: BrakeStatus, b: BrakeStatus): boolean {
  const said = ({ brakeId, scope, mode, by, reason, expiresAt, url }: BrakeStatus) =>
    JSON.stringify([brakeId, scope, mode, by, reason, expiresAt, url]);
  return said(a) === said(b);
}

/** Whether a list of brakes is older than one that is known; a sender that began anew is never taken for an old one. */
export const isOlderList = (said: BrakesNumber, known: BrakesNumber | null): boolean =>
  said.epoch === known?.epoch && said.seq < known.seq;

/** Takes a pass's answer to a list. Its answers may overtake one another: an older one covers no newer one. */
export function noteHold(holds: Map<number, BrakesHold>, hold: BrakesHold): void {
  const known = holds.get(hold.ring);
  if (known?.pass === hold.pass && isOlderList(hold, known)) return;
  holds.set(hold.ring, hold);
}

export const release = (brakes: BrakeStatus[], brakeId: string): BrakeStatus[] =>
  brakes.filter((b) => b.brakeId !== brakeId);

/**
 * Which brake a release speaks of: the one named, or without a name the only one there is.
 * Answers the reason why not, in words for a person, where there is none.
 */
export function brakeToRelease(
  brakes: BrakeStatus[],
  brakeId: string | undefined,
): { brake: BrakeStatus } | { expected: string } {
  const names = brakes.map((b) => b.brakeId).join(', ');
  if (brakeId !== undefined) {
    const brake = brakes.find((b) => b.brakeId === brakeId);
    return brake ? { brake } : { expected: names ? `a brake that is on: ${names}` : 'a brake that is on; none is' };
  }
  const [only, ...others] = brakes;
  if (!only) return { expected: 'a brake that is on; none is' };
  return others.length === 0 ? { brake: only } : { expected: `a brakeId, several brakes are on: ${names}` };
}

export const hasExpired = (brake: BrakeStatus, now: number): boolean =>
  brake.expiresAt !== undefined && Date.parse(brake.expiresAt) <= now;

/** Brakes that hold at `now` (epoch milliseconds). */
export const holding = (brakes: BrakeStatus[], now: number): BrakeStatus[] => brakes.filter((b) => !hasExpired(b, now));

/** When the next brake expires, in epoch milliseconds, or null where none will. */
export function nextExpiry(brakes: BrakeStatus[]): number | null {
  return earliest(brakes.flatMap((b) => (b.expiresAt === undefined ? [] : [Date.parse(b.expiresAt)])));
}

/** Whether a brake's scope covers a ring; a package's own brake covers that package wherever it is. */
export function covers(scope: BrakeScope, ring: number, perimeter: number): boolean {
  if (scope === 'cluster' || scope === 'package') return true;
  if (scope === 'outer') return ring > perimeter;
  return scope.ring === ring;
}

/** In words: `outer rings`, `ring 3`. */
export function scopeText(scope: BrakeScope): string {
  if (scope === 'cluster') return 'every ring';
  if (scope === 'outer') return 'the outer rings';
  if (scope === 'package') return 'this package';
  return `ring ${scope.ring}`;
}
