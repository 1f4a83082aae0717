import type { PackageRolloutStatus, RolloutRing } from '../../contract/status.js';
import { newTrack, type PackageState, type Track } from './state.js';

interface Facts {
  softRings: number[];
  perimeter: number | null;
}

/**
 * A run of a package that has ended goes on from the status that the run before it left, so that whoever asks is told
 * what became of the package, and not that nothing has happened yet.
 */
export function takeUp(s: PackageState, earlier: PackageRolloutStatus, facts: Facts): void {
  s.chartVersion = earlier.chartVersion;
  s.lane = earlier.lane;
  s.startedAtMs = Date.parse(earlier.startedAt);
  s.endedBeforeMs = earlier.finishedAt === null ? null : Date.parse(earlier.finishedAt);
  s.acts = [...earlier.acts, ...s.acts];
  s.checks = [...earlier.checks, ...s.checks];
  s.failures = [...earlier.failures, ...s.failures];
  s.rejected = [...earlier.rejected, ...s.rejected];
  const at = earlier.graduatedAt;
  if (at !== null) s.graduation = { requestId: '', by: 'an earlier run', at, askedAt: at, accepted: true };
  s.needsDowntime = earlier.needsDowntime ?? [];
  for (const ring of earlier.rings) s.tracks[ring.ring] ??= trackOf(ring, s.startedAtMs, facts);
}

/** A ring as its last pass left it. */
function trackOf({ outcome, ...view }: RolloutRing, sinceMs: number, { softRings, perimeter }: Facts): Track {
  const { ring, name } = view;
  const stands = { perimeter: ring <= (perimeter ?? -1), soft: softRings.includes(ring), baked: true, entered: true };
  const result = outcome ? { outcome, code: null, supersededBy: null, reason: '' } : null;
  return { ...newTrack({ ring, name, ...stands }, 'deploy', '', sinceMs), stage: 'over', view, result };
}
