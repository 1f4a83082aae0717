import type { HeldRing } from '../../contract/internal.js';
import { isOpen, newTrack, type PackageState, type Track } from './state.js';

/**
 * A pass that an earlier run of this rollout started goes on under this one: its brakes, its stop, its reports. Until it
 * has reported it counts as one that is being started. Answers the ring's track, and the request of this run's own that
 * is wanted no more; null where there is nothing to take over.
 */
export function adopt(s: PackageState, held: HeldRing, now: number): { track: Track; unwanted: string | null } | null {
  const { ring, requestId, purpose, pass, name, soft, perimeter } = held;
  const mine = s.tracks[ring];
  if (mine && isOpen(mine)) return null;
  const facts = { name, soft, perimeter, pass, stage: 'granted' as const, entered: true };
  const track = { ...newTrack(mine ?? { ring }, purpose, requestId, now), ...facts };
  s.tracks[ring] = track;
  return { track, unwanted: mine?.stage === 'asked' ? mine.requestId : null };
}
