import { holding } from '../brake.js';
import { isOpen, outerTracks, type PackageState, type Track, tracksOf } from './state.js';

/** What a package does next; decided anew whenever anything changed. */
export type Step =
  | { do: 'register' }
  | { do: 'ask-graduation' }
  | { do: 'request-next'; after: number | null }
  /** Asked for, but not granted yet: taken back because of a brake. */
  | { do: 'withdraw'; requestId: string }
  | { do: 'stop-passes'; outcome: 'aborted' | 'superseded' }
  | { do: 'roll-back'; ring: number }
  | { do: 'end'; state: NonNullable<PackageState['end']>['state'] }
  | { do: 'nothing' };

const nothing: Step = { do: 'nothing' };

/**
 * @param callers how many wait for the result of a ring: a rollout that has nothing more to do ends after they were
 *   answered
 */
export function nextStep(s: PackageState, now: number, callers = 0): Step {
  if (s.end) return endingStep(s);
  if (s.abort) return abortStep(s);
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

function abortStep(s: PackageState): Step {
  const waiting = tracksOf(s).find((t) => t.stage === 'asked' && t.purpose !== 'rollback');
  if (waiting) return { do: 'withdraw', requestId: waiting.requestId };
  if (s.next) return { do: 'withdraw', requestId: s.next.requestId };
  const forward = tracksOf(s).filter((t) => isOpen(t) && t.purpose !== 'rollback');
  if (forward.some((t) => !t.stopped)) return { do: 'stop-passes', outcome: 'aborted' };
  if (forward.length > 0) return nothing;
  if (!s.abort?.rollback) return { do: 'end', state: 'aborted' };
  return backStep(s);
}

/** Outermost ring first, one after the other; rings that the package never entered have nothing to take back. */
function backStep(s: PackageState): Step {
  const outermostFirst = tracksOf(s).reverse();
  if (outermostFirst.some((t) => t.purpose === 'rollback' && t.stage !== 'over')) return nothing;
  const next = outermostFirst.find((t) => t.purpose !== 'rollback' && t.view !== null);
  if (next) return { do: 'roll-back', ring: next.ring };
  const all = outermostFirst.every((t) => t.purpose !== 'rollback' || t.result?.outcome === 'converged');
  return { do: 'end', state: all ? 'rolled-back' : 'aborted' };
}

/** An outer ring's pass that ended without having baked waits for a retry. */
const isThrough = (t: Track): boolean => t.stage === 'over' && (t.perimeter || t.baked);

function rollOutStep(s: PackageState, now: number, callers: number): Step {
  const braked = holding(s.brakes, now).length > 0;
  if (s.next) return braked ? { do: 'withdraw', requestId: s.next.requestId } : nothing;
  const outer = outerTracks(s);
  const last = outer.at(-1);
  if (s.noMoreRings) return callers === 0 && tracksOf(s).every(isThrough) ? { do: 'end', state: 'converged' } : nothing;
  const held = braked || outer.some((t) => t.migrationFailed.length > 0);
  if (held || (last && !last.baked)) return nothing;
  return { do: 'request-next', after: last?.ring ?? null };
}
