import type { Alert } from '../../contract/activities.js';
import type { TroubleKind } from '../../contract/internal.js';
import type { CellException, RolloutRing } from '../../contract/status.js';
import type { PassState } from '../ring/pass.js';
import type { Due } from './book.js';
import { alertOfCell, ofRing, type RingFacts } from './cell.js';

/** The alerts of one pass over one ring. */

/** What the alerts of a pass carry over into its next run, beside its book. */
export interface PassAlertState {
  /** Since when the pass has waited for health without a break; null: it does not. */
  healthSinceMs: number | null;
  /** What an earlier pass left, as long as it lasts. */
  left: Alert[];
}

export const newPassAlerts = (left: Alert[]): PassAlertState => ({ healthSinceMs: null, left });

export interface PassFacts extends RingFacts {
  /** How long the ring's policy lets a cell be inconclusive; null: nothing is measured. */
  inconclusiveTimeoutMs: number | null;
  /** What people see of the pass. */
  view: RolloutRing;
  trouble: TroubleKind | null;
  indexOf: (cell: string) => number | undefined;
  now: number;
}

/** A wait for health shorter than these is in the status, and pages nobody. */
const INCONCLUSIVE_AFTER_MS = 15 * 60_000;
const UNMEASURED_AFTER_MS = 5 * 60_000;
/** More cells than these the ring's own alert stands for. */
const CELLS_AT_MOST = 10;
const FINDINGS = 5;

/** Notes what time does to the pass, and answers its alerts. */
export function alertsOfPass(s: PassState, kept: PassAlertState, facts: PassFacts): Due {
  note(s, kept, facts);
  const halt = haltAlert(s, facts);
  const cells = cellAlerts(s, facts);
  kept.left = kept.left.filter((alert) => lasts(s, alert, facts));
  const { alerts: unknown, nextMs } = healthAlert(kept, facts);
  return { alerts: [...(halt ? [halt] : []), ...cells, ...kept.left, ...unknown], nextMs };
}

const isUnderWay = (s: PassState): boolean => s.stage !== 'done' && !s.stop;

function note(s: PassState, kept: PassAlertState, { view, now }: PassFacts): void {
  const waits = isUnderWay(s) && view.waitingFor?.kind === 'health';
  kept.healthSinceMs = waits ? (kept.healthSinceMs ?? now) : null;
}

/** A pass of a blocking ring that is over has left it to whoever stopped it; a soft one ends with its failure. */
function haltAlert(s: PassState, facts: PassFacts): Alert | null {
  const { halt } = s;
  if (!halt || s.stop || s.purpose === 'rollback' || (s.stage === 'done' && !facts.soft)) return null;
  const { ring, version, view } = facts;
  const isPackage = halt.kind === 'systemic';
  const fallback = [`cellctl retry --ring ${ring} ${version} --reason "…"`, `cellctl abort ${version} --reason "…"`];
  const next = isPackage ? [`cellctl abort ${version} --rollback --reason "…"`] : (view.waitingFor?.next ?? fallback);
  return {
    ...ofRing(facts, isPackage ? 'PackageUnhealthy' : 'RingHalted', isPackage ? 's1' : 's2'),
    summary: `ring ${ring} halted on ${version}: ${halt.reason}`,
    evidence: evidenceOf(view),
    next: [`cellctl status ${version}`, ...next],
    startedAtMs: halt.sinceMs,
  };
}

function evidenceOf({ health, exceptions }: RolloutRing): string[] {
  const ring = health?.ring && health.ring.verdict !== 'healthy' ? health.ring.evidence : [];
  const findings = ring.map(({ cell, sentence }) => (cell === null ? sentence : `${cell}: ${sentence}`));
  const cells = exceptions.filter(({ state }) => state !== 'quarantined' && state !== 'skipped').map(inWords);
  return [...findings.slice(0, FINDINGS), ...cells.slice(0, FINDINGS)];
}

const inWords = ({ cell, state, reason, evidence = [] }: CellException): string =>
  [`${cell} ${state}: ${reason}`, ...evidence.map(({ sentence }) => sentence).filter((s) => !reason.includes(s))]
    .slice(0, 2)
    .join('; ');

/** Where it is the package that is at fault, the cells that went back for it are no news. */
function cellAlerts(s: PassState, facts: PassFacts): Alert[] {
  const isGoingBack = s.purpose === 'rollback' || s.halt?.kind === 'systemic';
  const bad = facts.view.exceptions.filter(({ state }) => state !== 'rolled-back' || !isGoingBack);
  const alerts = bad.flatMap((exception) => alertOfCell(facts, exception) ?? []);
  return alerts.sort((a, b) => a.severity.localeCompare(b.severity)).slice(0, CELLS_AT_MOST);
}

/** What an earlier pass left of the ring as a whole ends with the next pass; what it left of a cell, once that is well. */
function lasts(s: PassState, { name, cell }: Alert, { indexOf }: PassFacts): boolean {
  const index = cell === undefined ? undefined : indexOf(cell);
  const mark = s.marks[index ?? -1];
  if (mark === undefined) return false;
  if (s.purpose === 'rollback') return name === 'CellRolledBack' || mark !== 'R';
  return !'CDmML'.includes(mark);
}

function healthAlert({ healthSinceMs }: PassAlertState, facts: PassFacts): Due {
  const { ring, version, inconclusiveTimeoutMs, view, trouble, now } = facts;
  const wait = view.waitingFor;
  if (healthSinceMs === null || !wait) return NONE;
  const isUnmeasured = trouble === 'prometheus';
  const longestMs = isUnmeasured ? UNMEASURED_AFTER_MS : INCONCLUSIVE_AFTER_MS;
  // Before the hold becomes a halt, there is to be time to mend what is missing.
  const dueMs = healthSinceMs + Math.min(longestMs, (inconclusiveTimeoutMs ?? Number.POSITIVE_INFINITY) / 2);
  if (now < dueMs) return { alerts: [], nextMs: dueMs };
  const what = isUnmeasured ? 'health cannot be measured' : 'not known to be healthy';
  const alert = {
    ...ofRing(facts, isUnmeasured ? 'PrometheusUnavailable' : 'HealthInconclusive', isUnmeasured ? 's2' : 's3'),
    summary: `ring ${ring} is held on ${version}, ${what}: ${wait.detail}`,
    evidence: evidenceOf(view),
    next: [`cellctl status ${version}`, ...wait.next],
    startedAtMs: healthSinceMs,
  };
  return { alerts: [alert], nextMs: null };
}

const NONE: Due = { alerts: [], nextMs: null };
