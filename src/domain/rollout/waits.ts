import type { CalendarWait, Waiver } from '../../contract/calendar.js';
import type { OverridableWait } from '../../contract/messages.js';
import type { WaitingFor } from '../../contract/status.js';
import { isCalendarWait, waiverOf } from '../calendar/gate.js';
import { failedChecks, type PackageState } from './state.js';

/** Which waits a person may end: only one that the package is in, since what is ended ahead of time ends unasked. */

/** A person approved the package for a ring; said again, it counts from now. */
export function noteApproval(s: PackageState, ring: number, now: number): void {
  if (!s.approved.includes(ring)) s.approved.push(ring);
  s.approvedAtMs = { ...s.approvedAtMs, [ring]: now };
}

/**
 * A person ended a clock's wait: kept for a pass that takes the place of this one, should it be lost, since that runs the
 * clock anew. What else is waited for it asks about itself.
 */
export function noteOverride(s: PackageState, ring: number, wait: OverridableWait): void {
  if (wait === 'bake' || wait === 'grace-period') s.overridden.push({ ring, wait });
}

/** What a person ended were waits of the pass that is over. */
export function forgetOverrides(s: PackageState, ring: number): void {
  s.overridden = s.overridden.filter((o) => o.ring !== ring);
}

/** Why this wait of this ring cannot be overridden now, as what was expected; null: it can. */
export function whyNoWait(s: PackageState, ring: number, wait: OverridableWait): string | null {
  if (isIn(s, ring, wait)) return null;
  const now = waitIn(s, ring);
  return `a wait that the package is in, in ring ${ring}: ${now ? `${now.kind}, ${now.detail}` : 'there is none now'}`;
}

function isIn(s: PackageState, ring: number, wait: OverridableWait): boolean {
  const track = s.tracks[ring];
  // The same again changes nothing.
  if (wait === 'approval' && s.approved.includes(ring)) return true;
  if (wait === 'check' && Object.keys(failedChecks(s, ring)).length > 0) return true;
  const now = waitIn(s, ring);
  // Where it is still worked out whether the ring is open, there is nothing to end yet.
  if (now?.kind === wait && !(isCalendarWait(wait) && now.next.length === 0)) return true;
  // Their clocks run on whatever else holds the pass.
  if (wait === 'bake') return track?.view?.state === 'baking';
  if (wait === 'grace-period') return track?.view?.state === 'grace';
  // Inside the perimeter its caller was answered at once.
  const refused = track?.settled;
  if (refused?.code === 'frozen') return refused.wait === wait;
  return wait === 'approval' && refused?.code === 'approval';
}

/** A person ends this wait for the calendar: until the opening that it named. Answers the package's word for it. */
export function noteWaiver(s: PackageState, ring: number, wait: CalendarWait): Waiver {
  const now = waitIn(s, ring);
  const until = now?.kind === wait ? now.until : s.tracks[ring]?.settled?.until;
  const waiver = waiverOf(wait, until);
  const others = s.waivers?.filter((w) => w.ring !== ring || w.wait !== wait) ?? [];
  s.waivers = [...others, { ring, ...waiver }];
  return waiver;
}

function waitIn(s: PackageState, ring: number): WaitingFor | null {
  if (s.next?.held?.ring === ring) return s.next.held.waiting;
  const track = s.tracks[ring];
  return track && track.stage !== 'over' ? (track.held ?? track.view?.waitingFor ?? null) : null;
}
