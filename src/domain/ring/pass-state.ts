import type { Evidence, HealthMode } from '../../contract/health.js';
import type { CellPurpose, StopPass } from '../../contract/internal.js';
import type { CellState, PassPurpose } from '../../contract/status.js';
import type { OutsideChecks } from './checks.js';
import type { PassHealth } from './health.js';
import type { Observed } from './observe.js';

/** Cells that were busy or unreachable at the ring's end, too: when they are tried again. */
export interface PutOff {
  sinceMs: number;
  /** How often each of them was tried since. */
  tries: number;
  /** Beside a bake, how many had their turn since that last went up; absent: none. */
  turns?: number;
  /** Null: they are tried just now. */
  nextAtMs: number | null;
  /** They keep the ring from going on, but not beyond this; null: its failure budget bears them. */
  untilMs: number | null;
}

/**
 * One pass over one ring, as plain data. A cell is its index in the pass's snapshot, and its standing is one mark:
 *
 *   .  to be deployed           d  put off: could not take it now, tried again at the ring's end, and then by the clock
 *   >  being deployed           s  skipped by a person
 *   C  deployed and verified    D  its PDM was put off
 *   m  its PDM runs             M  PDM done: nothing is left to do
 *   <  going back               R  went back
 *   X  ended badly, see its exception       L  none of this pass's business
 *   Q  quarantined while the pass was there
 */
export type Mark = '.' | 'd' | 's' | '>' | 'C' | 'D' | 'm' | 'M' | '<' | 'R' | 'X' | 'L' | 'Q';

export type Stage = 'deploy' | 'bake' | 'grace' | 'migrate' | 'rollback' | 'done';

export interface FlightRecord {
  purpose: CellPurpose;
  /** First run id of the cell's run; null until Temporal has started it. */
  runId: string | null;
  /** Its end cannot reach this run of the pass: it was started by an earlier run, or by another pass. */
  carried: boolean;
  /** Another pass's run holds the cell: when it ends, this pass starts its own. */
  foreign: boolean;
  cancelled: boolean;
  /** When its run was started, epoch ms. */
  sinceMs?: number;
  /** Its health is waited for no more. */
  waived?: true;
  /** Its job is ordered, or may be: it said so when it was asked to stand down. */
  orders?: true;
}

export interface Halt {
  /**
   * `systemic`: the package is at fault, whatever single cells say; `inconclusive`: too little is known of a cell, which is
   * nobody's fault; `in-doubt`: the same of the ring as a whole, for too long; `put-off`: cells that were busy or
   * unreachable until the time was up, which is no fault either.
   */
  kind: 'cells' | 'put-off' | 'migration' | 'check' | 'none-converged' | 'systemic' | 'inconclusive' | 'in-doubt';
  reason: string;
  sinceMs: number;
  /** The first cell that did not pass, and for which everybody waits. */
  first?: number;
}

export interface Held {
  reason: string;
  sinceMs: number;
  /** Where what holds it can be mended; left out: nobody knows. */
  ring?: number;
}

export interface PassState {
  purpose: PassPurpose;
  stage: Stage;
  marks: Mark[];
  counts: Record<Mark, number>;
  /** No cell that may start stands before this index. */
  cursor: number;
  inFlight: Record<number, FlightRecord>;
  exceptions: Record<
    number,
    {
      state: CellState;
      reason: string;
      jobId?: string;
      needsDowntime?: boolean;
      /** It runs the package, and its PDM did not run. */
      lacksPdm?: true;
      /** Its health could not be told, and that is for a person. */
      isUnknown?: true;
      evidence?: Evidence[];
    }
  >;
  /** How often this pass has ordered work for a cell; absent: never. */
  orders: Record<number, number>;
  /** Runs of this order that died without a result. */
  deaths: Record<number, number>;
  /** Cells on their second try of this pass: the last one, but for cells that are busy or unreachable. */
  again: Record<number, true>;
  /** Absent, null: no cell is busy or unreachable still. */
  putOff?: PutOff | null;
  /** Cells that came to the package while their ring baked, or waited out its grace period; absent: none. */
  lateCells?: number;
  /** Skips that wait for the cell's run to end, and their words. */
  skips: Record<number, { by: string; reason: string }>;
  /** Cells that the ring has no more, whose run is not over. */
  leaving?: Record<number, true>;
  /** Cells that are quarantined, and their words: they leave the pass when their run has ended. */
  quarantines: Record<number, string>;
  /** How long cells took that were deployed, ms: some of them, evenly. */
  timesMs?: number[];
  halt: Halt | null;
  stop: StopPass | null;
  convergedAtMs: number | null;
  bakeUntilMs: number | null;
  bakedAtMs: number | null;
  graceUntilMs: number | null;
  /** When a ring that had baked was converged again after a retry. */
  wholeAgainMs: number | null;
  /** Waits that a person has ended, until they would have been over anyway. */
  overridden: string[];
  /** The last word of outside checks; absent: there are none, or nobody has asked. */
  outside?: OutsideChecks;
  /** Checks whose last word is that they failed, and who said so. */
  failedChecks: Record<string, string>;
  /** `migrateWhen: everywhere`: the package has baked in every ring. */
  bakedEverywhere: boolean;
  /** A failed PDM of this package in another ring, which holds everything that goes forward. */
  holdForward: Held | null;
  /** Cells whose PDM failed, until it has succeeded: a retry that is under way has not mended anything yet. */
  pdmFailed: Record<number, true>;
  /** Of those, the ones that a person has retried: their PDM runs again before anything else goes forward. */
  mending: Record<number, true>;
  /** The chart with which the first cell was seen to run the package; null: none was. */
  runsWith: string | null;
  /** Cells that gave no answer when the bake should have ended. */
  silent: string[];
  /** Retries heard so far. */
  retries?: number;
  /** A package is taken back by a person's word: cells that went back are what was wanted, and no exceptions. */
  isReturn?: boolean;
  /** The stage of which the cells were watched to its end, with an answer of each, since the watch last began; null: none. */
  watched: Stage | null;
  /** The rings before it were found healthy, or a person did not want to wait for that. */
  gateOpen: boolean;
  /** What smoke tests said of the cells: `failed` where they failed on one of them; null: none were run. */
  smokeTests: 'passed' | 'failed' | null;
  /** What a pass that only observes would have done; absent: it acts. */
  observed?: Observed;
  /** Null: nothing is measured in this ring. */
  health: PassHealth | null;
  healthMode: HealthMode | null;
}

const MARKS: Mark[] = ['.', 'd', 's', '>', 'C', 'D', 'm', 'M', '<', 'R', 'X', 'L', 'Q'];

export function newPass(purpose: PassPurpose, cells: number): PassState {
  const counts = Object.fromEntries(MARKS.map((m) => [m, 0])) as Record<Mark, number>;
  counts['.'] = cells;
  return {
    purpose,
    stage: purpose === 'deploy' ? 'deploy' : purpose === 'migrate' ? 'migrate' : 'rollback',
    marks: Array.from({ length: cells }, () => '.' as Mark),
    counts,
    cursor: 0,
    inFlight: {},
    exceptions: {},
    orders: {},
    deaths: {},
    again: {},
    skips: {},
    quarantines: {},
    halt: null,
    stop: null,
    convergedAtMs: null,
    bakeUntilMs: null,
    bakedAtMs: null,
    graceUntilMs: null,
    wholeAgainMs: null,
    overridden: [],
    failedChecks: {},
    bakedEverywhere: false,
    holdForward: null,
    pdmFailed: {},
    mending: {},
    runsWith: null,
    silent: [],
    watched: null,
    gateOpen: false,
    smokeTests: null,
    health: null,
    healthMode: null,
  };
}
