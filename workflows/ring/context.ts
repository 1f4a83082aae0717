import { workflowInfo } from '@temporalio/workflow';
import type { Waiver } from '../../src/contract/calendar.js';
import type {
  AlertBook,
  BrakesNumber,
  CellNote,
  PassTrouble,
  QuarantineInPass,
  RingEntry,
  SetBrakes,
  SkipInPass,
} from '../../src/contract/internal.js';
import type { OverridableWait } from '../../src/contract/messages.js';
import type { ReturnOrder } from '../../src/contract/returning.js';
import type { BlockedRange, BrakeStatus, CellException, PassPurpose } from '../../src/contract/status.js';
import { newPassAlerts, type PassAlertState } from '../../src/domain/alerts/ring.js';
import { holding, isOlderList } from '../../src/domain/brake.js';
import type { Target } from '../../src/domain/cell.js';
import { isBlockedBy } from '../../src/domain/cluster/blocks.js';
import { type CarriedHealth, carryHealth, modeOf, newHealth, restoreHealth } from '../../src/domain/ring/health.js';
import type { LookRules } from '../../src/domain/ring/look.js';
import { forwardCells } from '../../src/domain/ring/marks.js';
import { type Held, newPass, type PassState } from '../../src/domain/ring/pass.js';
import { type CarriedRoster, Roster } from '../../src/domain/ring/roster.js';
import type { Advance } from '../../src/domain/ring/stages.js';
import { packCells } from '../../src/domain/snapshot.js';
import { Mail } from '../shared/mail.js';
import type { PassCalendarState } from './calendar.js';
import type { CarriedSetbacks } from './setbacks.js';

export interface RingRolloutInput {
  ring: number;
  version: string;
  chartVersion: string | null;
  purpose: PassPurpose;
  lane: string | null;
  requestId: string;
  /** Workflow id of whoever started this pass. */
  starter: string;
  packageBrakes: BrakeStatus[];
  packageBrakesNumber: BrakesNumber;
  /** Cells that a person wants left out of the way. */
  skips: SkipInPass[];
  /** Checks of this ring whose last word is that they failed, and who said so. */
  failedChecks: Record<string, string>;
  /** Waits of this package in this ring that a person ended before this pass began. */
  overridden: OverridableWait[];
  /** Those of them that were waits for the calendar; absent: none. */
  waivers?: Waiver[];
  /** A failed PDM of this package in another ring. */
  holdForward: Held | null;
  /** The package has baked in every ring; absent: its starter tells so, where it ever does. */
  bakedEverywhere?: true;
  /** What a pass that was lost left behind: cells that ended badly stay so until a person asks. */
  leftBehind: CellException[];
  /** Cells of this ring whose PDM failed in an earlier pass. */
  migrationFailed: string[];
  /** A person wants failed PDM to run again. */
  mend: boolean;
  /** It takes the place of a pass that was lost: nobody asked again. */
  afterLoss: boolean;
  /** It brings some cells of the ring back to what the ring converged on: never left halted, whatever comes of it. */
  reconciles?: boolean;
  /** A person asked for these cells by name or ring: what failed on them before is tried again. */
  askedFor?: boolean;
  reason: string;
  /** How the package is taken back, where that is this pass's purpose. */
  back?: ReturnOrder;
  /** What the pass works on, where there is no cluster to say so. */
  entry?: RingEntry;
  /** What an earlier run of this pass carried over. */
  carried?: Carried;
}

export interface Carried {
  startedAtMs: number;
  entry: RingEntry;
  state: Omit<PassState, 'health'> & { health: CarriedHealth | null };
  roster: CarriedRoster;
  brakes: Brakes;
  refusal: string | null;
  alerts: CarriedAlerts;
  setbacks?: CarriedSetbacks;
  /** Whose trouble holds the pass, and since when. */
  troubles: [who: string, trouble: Trouble][];
  troubleSinceMs: number;
  /** Absent: an older version carried over none. */
  calendar?: PassCalendarState;
}

type Trouble = NonNullable<CellNote['trouble']>;

type CarriedAlerts = PassAlertState & { book: AlertBook };

interface Brakes {
  cluster: BrakeStatus[];
  package: BrakeStatus[];
  /** Which of its lists was the last one; null before the cluster has let the pass in. */
  clusterNumber: BrakesNumber | null;
  packageNumber: BrakesNumber;
  /** `finish-ring` brakes that were on when the ring was entered: they stop this pass too. */
  atEntry: string[];
  /** Every block of packages that the cluster told of. */
  blocks?: BlockedRange[];
}

/** What the parts of one pass share. Everything that must survive a continue-as-new is in `carry`. */
export class PassContext {
  readonly pass = workflowInfo().firstExecutionRunId;
  readonly target: Target;
  startedAtMs = Date.now();
  /** What the pass works on; null until the cluster has let it in. */
  entry: RingEntry | null = null;
  roster = Roster.of(packCells([]));
  state: PassState;
  brakes: Brakes;
  /** Why the pass was refused after all; null: it was not. */
  refusal: string | null = null;
  /** Things under way that a continue-as-new would lose. */
  pending = 0;
  woken = false;
  /** Nothing more is begun: only the last report is still to be sent. */
  isOver = false;
  /** Every run is known that is under way on a cell of the ring: those of a lost pass are asked for. */
  knowsFlights: boolean;
  /** Every cell was looked at: the pass knows where each of them stands. */
  looked: boolean;
  /** Cells to leave out of the way, named before that. */
  readonly skipsBefore: SkipInPass[] = [];
  /** Cells quarantined before that, or readmitted. */
  readonly quarantinesBefore: QuarantineInPass[] = [];
  readonly mail = new Mail(() => this.wake());
  /** Alerts that are up, and what they depend on. */
  alerts: CarriedAlerts;
  /** What the ledger was told of cells that went wrong. */
  setbacks: CarriedSetbacks = { entered: {} };
  /** What the calendar said, and what of it people waived. */
  calendar: PassCalendarState;
  private troubles = new Map<string, Trouble>();
  private troubleSinceMs = 0;

  constructor(readonly input: RingRolloutInput) {
    this.target = { version: input.version, chartVersion: input.chartVersion };
    this.state = newPass(input.purpose, 0);
    this.alerts = { ...newPassAlerts([]), book: {} };
    this.calendar = { word: null, waivers: input.waivers ?? [], sinceMs: null };
    const { packageBrakes, packageBrakesNumber: packageNumber } = input;
    this.brakes = { cluster: [], package: packageBrakes, clusterNumber: null, packageNumber, atEntry: [] };
    const { failedChecks, overridden, holdForward, bakedEverywhere = false } = input;
    Object.assign(this.state, {
      failedChecks,
      overridden,
      holdForward,
      bakedEverywhere,
      ...(input.back ? { isReturn: true } : {}),
    });
    this.looked = input.carried !== undefined;
    this.knowsFlights = !input.afterLoss || this.looked;
    if (input.carried) this.restore(input.carried);
  }

  /** Takes what the cluster says this pass works on; what people said meanwhile stays. */
  enter(entry: RingEntry): void {
    if (this.entry) return;
    this.entry = entry;
    this.roster = Roster.of(entry.cellsGz);
    const { stop, overridden, failedChecks, holdForward, bakedEverywhere, retries = 0, isReturn = false } = this.state;
    const fresh = newPass(this.input.purpose, this.roster.cells.length);
    const { health } = entry;
    const kept = { stop, overridden, failedChecks, holdForward, bakedEverywhere, retries, isReturn };
    this.state = { ...fresh, ...kept, health: health && newHealth(), healthMode: modeOf(health) };
    const { alerts: book = {} } = entry;
    const left = Object.values(book).map(({ alert }) => alert);
    this.alerts = { ...newPassAlerts(left), book };
    this.calendar.word = entry.word ?? null;
    this.setBrakes({ from: 'cluster', ...entry.brakesNumber, brakes: entry.brakes });
    if (entry.packageBrakes) this.setBrakes({ from: 'package', ...entry.packageBrakes });
    const all = [...this.brakes.cluster, ...this.brakes.package];
    this.brakes.atEntry = all.filter((b) => b.mode === 'finish-ring').map((b) => b.brakeId);
    this.wake();
  }

  /** Messages may overtake one another: an older list never takes a newer one's place. Answers which one holds. */
  setBrakes({ from, epoch, seq, brakes }: SetBrakes): BrakesNumber {
    const known = this.brakes[`${from}Number`];
    if (known && isOlderList({ epoch, seq }, known)) return known;
    if (from === 'cluster') this.brakes.blocks = brakes.flatMap(({ blocks }) => blocks ?? []);
    this.brakes[from] = brakes.filter(({ blocks }) => !blocks || isBlockedBy(blocks, this.input.version));
    this.brakes[`${from}Number`] = { epoch, seq };
    return { epoch, seq };
  }

  /** Brakes that stop this pass from starting anything forward. */
  holdingBrakes(): BrakeStatus[] {
    const all = holding([...this.brakes.cluster, ...this.brakes.package], Date.now());
    return all.filter((b) => b.mode !== 'finish-ring' || this.brakes.atEntry.includes(b.brakeId));
  }

  forwardCells(): number[] {
    return forwardCells(this.state);
  }

  /** Only a run that the pass waits for: the trouble of any other nobody would take back. */
  noteCell(cell: string, trouble: CellNote['trouble']): void {
    const index = this.roster.indexOf(cell) ?? -1;
    if (trouble === null || this.state.inFlight[index]) this.setTrouble(cell, trouble);
  }

  setTrouble(who: string, trouble: CellNote['trouble']): void {
    if (this.troubles.size === 0) this.troubleSinceMs = Date.now();
    if (trouble === null) this.troubles.delete(who);
    else this.troubles.set(who, trouble);
  }

  hasTrouble(who: string): boolean {
    return this.troubles.has(who);
  }

  /** Cells in flight whose health cannot be told. */
  cellsInDoubt(): number[] {
    const inDoubt = [...this.troubles].filter(([, { kind }]) => kind === 'health' || kind === 'prometheus');
    return inDoubt.flatMap(([who]) => this.roster.indexOf(who) ?? []);
  }

  get trouble(): PassTrouble | null {
    const [trouble] = this.troubles.values();
    return trouble === undefined ? null : { ...trouble, sinceMs: this.troubleSinceMs };
  }

  get entered(): RingEntry {
    if (!this.entry) throw new Error('the ring has not been entered');
    return this.entry;
  }

  /** It looks, says what it would do, and starts nothing. */
  get observesOnly(): boolean {
    return this.entered.policy.mode === 'observe';
  }

  get lookRules(): LookRules {
    const { policy, perimeter, came = [] } = this.entered;
    const { afterLoss, askedFor = false, reconciles = false } = this.input;
    return { target: this.target, policy, askedFor: askedFor || (perimeter && !afterLoss), reconciles, came };
  }

  /** Nobody is left waiting in front of a pass that goes no further: it ends with its result. */
  get endsAnyhow(): boolean {
    return this.entry?.soft === true || this.input.reconciles === true;
  }

  get rules(): Advance {
    const { policy, perimeter, leftOut } = this.entered;
    const endsBaked = perimeter || this.leavesPdm;
    const { idOf } = this.roster;
    const left = { leftOut: leftOut.length, idOf, random: Math.random };
    return { policy, soft: this.endsAnyhow, endsBaked, ...left, now: Date.now() };
  }

  /** Nobody would tell it that the package has baked everywhere: PDM of these cells is left to the next reconcile. */
  private get leavesPdm(): boolean {
    const waitsForAll = this.entered.policy.migrateWhen === 'everywhere' && !this.state.bakedEverywhere;
    return this.input.reconciles === true && waitsForAll;
  }

  carry(): Carried {
    const { startedAtMs, state, roster, brakes, refusal, alerts, setbacks, troubleSinceMs, calendar } = this;
    // Watches end with this run, and begin again in the next one.
    const health = state.health && carryHealth(state.health);
    const carriedState = { ...state, health, watched: null, silent: [] };
    const troubles = [...this.troubles];
    const more = { roster: roster.carry(), brakes, refusal, alerts, setbacks, troubles, troubleSinceMs, calendar };
    return { startedAtMs, entry: this.entered, state: carriedState, ...more };
  }

  private restore({ roster, troubles, state, ...carried }: Carried): void {
    const { entry } = carried;
    Object.assign(this, carried);
    // An older worker may have begun the pass: what it did not know of is as it is at first.
    const fresh = newPass(state.purpose, 0);
    const counts = { ...fresh.counts, ...state.counts };
    this.state = { ...fresh, ...state, counts, health: state.health && restoreHealth(state.health) };
    this.troubles = new Map(troubles);
    this.roster = Roster.of(entry.cellsGz, roster);
  }

  wake(): void {
    this.woken = true;
  }
}
