import type { TakenBack } from '../../src/contract/returning.js';
import { noteAbort } from '../../src/domain/rollout/state.js';
import type { PackageContext } from './context.js';

/** A rollback takes the package back from its cells: its own rollout starts nothing more, and ends. */
export function takeBack(ctx: PackageContext, { by, reason, url }: TakenBack): void {
  const { state } = ctx;
  if (state.end || state.takenBack) return;
  noteAbort(state, { by, reason, rollback: false }, Date.now());
  state.takenBack = true;
  // Whatever began this run, there is something to end now.
  state.accepted = true;
  ctx.record('rollback', { by, reason, ...(url === null ? {} : { url }) }, 'its rollout ends; the cells on it go back');
  ctx.wake();
}
