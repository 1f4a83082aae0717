import type * as messages from '../../contract/messages.js';
import type { PackageState } from './state.js';
import { refusedNow } from './tracks.js';

/** What came of acts on a package, in words, as far as that is known when they are recorded. */
export const OUTCOMES = {
  releaseBrake: ({ brakeId }: messages.ReleaseBrake) =>
    brakeId === undefined ? 'its brake is off' : `brake ${brakeId} is off`,
  recordCheck: ({ ring, name, outcome }: messages.RecordCheck) => `check ${name} of ring ${ring}: ${outcome}`,
  approveRing: ({ ring }: messages.ApproveRing) => `ring ${ring} is approved`,
  override: ({ wait, ring }: messages.Override) => `its wait in ring ${ring} is over: ${wait}`,
  retryRing: ({ ring, cells }: messages.RetryRing) =>
    `ring ${ring} is looked at, and goes on with ${cells === undefined ? 'what did not converge' : `${cells.length} cells`}`,
  abort: ({ rollback }: messages.Abort) =>
    rollback ? 'no further cell; cells on it go back' : 'no further cell; cells in flight settle',
  skipCell: ({ cell }: Pick<messages.SkipCell, 'cell'>) => `${cell} is left out of the way`,
  restart: () => 'it is opened again',
};

/** What comes of a call for a ring: a pass, or a refusal that this package gives itself. */
export function outcomeOfCall(s: PackageState, ring: number, now: number): string {
  const refused = s.registered ? refusedNow(s, ring, now) : null;
  return refused?.code ? `ring ${ring}: refused, ${refused.code}` : `ring ${ring}`;
}
