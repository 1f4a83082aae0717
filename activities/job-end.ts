import type { AmpJob } from './ports.js';

/**
 * When a job that was read just now ended. AMP's clock may be behind ours: what is measured until then was measured before
 * the job's end, and says nothing about what it brought. Where it is ahead its word stays, as what is measured until then
 * is only left out. null: the job does not say.
 */
export function finishedByOurClock({ finishedAt, asOfMs }: Pick<AmpJob, 'finishedAt' | 'asOfMs'>): number | null {
  const finishedMs = Date.parse(finishedAt ?? '');
  return Number.isNaN(finishedMs) ? null : Math.max(finishedMs, finishedMs + Date.now() - asOfMs);
}
