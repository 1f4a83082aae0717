import type { CellLook } from '../../contract/activities.js';
import type { PassPurpose } from '../../contract/status.js';
import { markSkipped } from './cell-ended.js';
import { concerned, setMark } from './marks.js';
import type { PassState } from './pass.js';

/**
 * A pass over a ring in mode `observe`: it looks, says what it would do, and is over. It has no stage in which anything
 * starts, so nothing can be touched.
 */

/** What such a pass found and would have done. */
export interface Observed {
  sentence: string;
  /** So many cells, of which the exceptions name up to a hundred. */
  would: number;
  /** Waits that it would have had to bear first. */
  waits: string[];
  /** Every cell stands as this pass would have left it. */
  isDone: boolean;
}

const WOULD: Record<PassPurpose, { do: string; from: string }> = {
  deploy: { do: 'deploy', from: '.' },
  migrate: { do: 'run PDM on', from: 'C' },
  rollback: { do: 'take back', from: 'C' },
};

/** After the first look at every cell: ends the pass with what it would do. */
export function observe(s: PassState, looks: CellLook[], leftOut: number, waits: string[], now: number): Observed {
  const { do: act, from } = WOULD[s.purpose];
  let would = 0;
  for (const [index, { facts }] of looks.entries()) {
    const mark = s.marks[index];
    const bad = s.exceptions[index]?.reason;
    if (mark === from) would += 1;
    if (mark === from)
      markSkipped(s, index, `only observed: it runs ${facts.version ?? 'what is unknown'}; would ${act} it`);
    else if (mark === 'X') markSkipped(s, index, `only observed: ${bad}`);
    // A cell on the package waits for its PDM alone, which is a step of its own.
    else if (mark === 'C' && s.purpose === 'deploy') setMark(s, index, 'M');
  }
  const isDone = s.counts.s === 0;
  const cells = concerned(s);
  const held = would > 0 && waits.length > 0 ? `, once this is over: ${waits.join('; ')}` : '';
  const sentence = `only observed: would ${act} ${would} of ${cells} cells${held}`;
  if (isDone && s.purpose === 'deploy') Object.assign(s, { convergedAtMs: now, bakedAtMs: now });
  if (cells + leftOut > 0) s.observed = { sentence, would, waits: would > 0 ? waits : [], isDone };
  else s.bakedAtMs = now;
  s.stage = 'done';
  return s.observed ?? { sentence, would, waits, isDone };
}
