import { holding } from '../brake.js';
import { earliest } from '../instant.js';
import { OUST_AFTER_MS } from '../ousting.js';
import { isOpen, migrationHold, outerTracks, type PackageState, type Track, tracksOf } from './state.js';

/** What a package does next; decided anew whenever anything changed. */
export type Step =
  | { do: 'register' }
  | { do: 'ask-graduation' }
  | { do: 'request-next'; after: number | null }
  /** Asked for, but not granted yet: taken back because of a brake. */
  | { do: 'withdraw'; requestId: string }
  | { do: 'stop-passes'; outcome: 'aborted' | 'superseded' }
  /** It has not ended in time, and a rollback waits for it. */
  | { do: 'oust'; ring: number }
  | { do: 'roll-back'; ring: number }
  | { do: 'end'; state: NonNullable<PackageState['end']>['state'] }
  | { do: 'nothing' };

const nothing: Step = { do: 'nothing' };

/**
 * @param callers how many wait for the result of a ring: a rollout that has nothing more to do ends after they were
 *   answered
 */
export function nextStep(s: PackageState, now: number, callers = 0, oustAfterMs = OUST_AFTER_MS): Step {
  if (s.end) return endingStep(s);
  if (s.abort) return abortStep(s, now, oustAfterMs);
  if (!s.registered || s.graduation?.accepted !== true) return nothing;
  return rollOutStep(s, now, callers);
}

/** A rollout that is over lets its passes settle first. */
function endingStep(s: PackageState): Step {
  const waiting = tracksOf(s).find((t) => t.stage === 'asked');
  if (waiting) return { do: 'withdraw', requestId: waiting.requestId };
  if (s.next) return { do: 'withdraw', requestId: s.next.requestId };
  return tracksOf(s).some((t) => isOpen(t) && !t.stopped) ? { do: 'stop-passes', outcome: 'superseded' } : nothing;
}

function abortStep(s: PackageState, now: number, oustAfterMs: number): Step {
  const waiting = tracksOf(s).find((t) => t.stage === 'asked' && t.purpose !== 'rollback');
  if (waiting) return { do: 'withdraw', requestId: waiting.requestId };
  if (s.next) return { do: 'withdraw', requestId: s.next.requestId };
  const forward = tracksOf(s).filter((t) => isOpen(t) && t.purpose !== 'rollback');
  if (forward.some((t) => !t.stopped)) return { do: 'stop-passes', outcome: 'aborted' };
  const late = forward.find((t) => (oustAt(s, t, oustAfterMs) ?? Number.POSITIVE_INFINITY) <= now);
  if (late) return { do: 'oust', ring: late.ring };
  if (forward.length > 0) return nothing;
  if (!s.abort?.rollback) return { do: 'end', state: s.takenBack ? 'rolled-back' : 'aborted' };
  return backStep(s);
}

/** When a pass of the package's own that its rollback waits for is to be terminated; null: it is not waited for. */
function oustAt(s: PackageState, track: Track, oustAfterMs: number): number | null {
  const { stopped, stoppedAtMs, pass } = track;
  if (!s.abort?.rollback || !isOpen(track) || !stopped || pass === null) return null;
  return track.purpose === 'rollback' ? null : (stoppedAtMs ?? 0) + oustAfterMs;
}

/** When the next of them is due; null: none. */
export function nextOust(s: PackageState, now: number, oustAfterMs: number): number | null {
  const due = tracksOf(s).flatMap((t) => oustAt(s, t, oustAfterMs) ?? []);
  return earliest(due.filter((ms) => ms > now));
}

/** Outermost ring first, one after the other; rings that the package never entered have nothing to take back. */
function backStep(s: PackageState): Step {
  const outermostFirst = tracksOf(s).reverse();
  if (outermostFirst.some((t) => t.purpose === 'rollback' && t.stage !== 'over')) return nothing;
  // One that was not let in has looked at nothing, and taken nothing back.
  const keptOut = outermostFirst.find((t) => t.purpose === 'rollback' && t.result?.outcome === 'yielded');
  if (keptOut) return { do: 'roll-back', ring: keptOut.ring };
  const entered = outermostFirst.filter((t) => t.purpose !== 'rollback' && t.entered).map((t) => t.ring);
  const before = s.alsoOn.filter((ring) => s.tracks[ring] === undefined);
  const [ring] = [...entered, ...before].sort((a, b) => b - a);
  if (ring !== undefined) return { do: 'roll-back', ring };
  const all = outermostFirst.every((t) => t.purpose !== 'rollback' || t.result?.outcome === 'converged');
  return { do: 'end', state: all ? 'rolled-back' : 'aborted' };
}

/** An outer ring's pass that ended without having baked waits for a retry. */
const isThrough = (t: Track): boolean => t.stage === 'over' && (t.perimeter || t.baked);

/** The outer ring that is wanted now, as the one after another: one that is to be entered again, or the next. */
function wantedAfter(s: PackageState): { after: number | null; again: Track | null } | null {
  const outer = outerTracks(s);
  const again = outer.find((t) => t.again);
  if (again) return { after: outer.findLast((t) => t.ring < again.ring)?.ring ?? null, again };
  const last = outer.at(-1);
  return s.noMoreRings || (last && !last.baked) ? null : { after: last?.ring ?? null, again: null };
}

function rollOutStep(s: PackageState, now: number, callers: number): Step {
  const wanted = wantedAfter(s);
  const held = holding(s.brakes, now).length > 0 || migrationHold(s, wanted?.again?.ring ?? null) !== null;
  if (s.next) {
    const isWanted = wanted !== null && wanted.after === s.next.after && !held;
    return isWanted ? nothing : { do: 'withdraw', requestId: s.next.requestId };
  }
  if (wanted) return held ? nothing : { do: 'request-next', after: wanted.after };
  const isOver = s.noMoreRings && callers === 0 && tracksOf(s).every(isThrough);
  return isOver ? { do: 'end', state: 'converged' } : nothing;
}
