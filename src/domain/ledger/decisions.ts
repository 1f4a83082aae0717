import type { AskGraduation, RingReport, RolloutEnded } from '../../contract/internal.js';
import type { LedgerKind, NewEntry } from '../../contract/ledger.js';
import type { Problem } from '../../contract/problem.js';
import type { LeftOnPackage } from '../../contract/returning.js';
import type { PackageRollbackStatus, RingState, RolloutRing } from '../../contract/status.js';
import type { ClusterState, EndedRollout, Turn } from '../cluster/state.js';
import type { TurnAction } from '../cluster/turns.js';

/** What the cluster decided, as the ledger has it; `kind` where it is no decision. */
export type Decision = Omit<NewEntry, 'kind' | 'by'> & { kind?: LedgerKind };

/** A decision about a turn; null: one that changes nothing for anybody. */
export function decisionOfTurn(action: TurnAction): Decision | null {
  if (action.do === 'answer') return decisionOfAnswer(action);
  if (action.do === 'drop') return null;
  const { ring, turn, by } = action;
  const version = turn === null ? {} : { version: turn.request.version };
  const about = { ...version, ring, facts: { by } };
  if (action.do === 'oust')
    return { act: 'ousted', ...about, reason: `it has not made room for the rollback of ${by}` };
  if (action.how === 'supersede') return { act: 'superseded', ...about, reason: `${by} takes its place` };
  return { act: 'madeRoom', ...about, outcome: action.how, reason: `ring ${ring} is needed for ${by}` };
}

function decisionOfAnswer({ request, answer }: Extract<TurnAction, { do: 'answer' }>): Decision | null {
  const { version, purpose, lane } = request;
  const facts = { purpose, ...(lane === null ? {} : { lane }) };
  if (answer.kind === 'granted') return { act: 'granted', version, ring: answer.ring, facts };
  if (answer.kind === 'refused') {
    return { act: 'refused', version, ring: answer.ring, outcome: answer.code, reason: answer.detail, facts };
  }
  if (answer.kind !== 'replaced') return null;
  return { act: 'superseded', version, ring: answer.ring, reason: `${answer.by} takes its place in the queue`, facts };
}

/** What stood of a ring and its turn before a pass reported. */
export interface BeforeReport {
  state: RingState;
  convergedAt: string | null;
  systemic: ClusterState['systemic'];
}

export const beforeReport = (state: ClusterState, ring: number, turn: Turn): BeforeReport => ({
  state: turn.state,
  convergedAt: state.rings[ring]?.convergedAt ?? null,
  systemic: state.systemic,
});

/** What a pass's report means that was not known before: the ring converged, halted, went on, or its pass is over. */
export function decisionsOfReport(
  before: BeforeReport,
  state: ClusterState,
  turn: Turn,
  report: RingReport,
  now: number,
): Decision[] {
  const { version, view, purpose } = report;
  const record = state.rings[view.ring];
  const perimeter = view.ring <= (state.perimeter ?? -1) ? { perimeter: true } : {};
  // A pass over some cells only, which brings them to what their ring runs.
  const reconciles = turn.request.cells ? { reconciles: turn.request.cells.length } : {};
  const about = { version, ring: view.ring };
  const tookMs = now - turn.grantedAtMs;
  const decisions: Decision[] = [];
  if (record?.convergedAt && record.convergedAt !== before.convergedAt) {
    // Who reads this takes a cell that is not named for one that converged.
    const areAllNamed = view.exceptions.length >= view.exceptionsTotal;
    const exceptions = areAllNamed ? view.exceptions.map(({ cell }) => cell) : undefined;
    // Those that are in flight have converged as well: their PDM runs.
    const cells = view.converged + view.inFlight;
    const facts = { cells, total: view.total, exceptions, ...perimeter };
    decisions.push({ act: 'converged', ...about, outcome: `${cells} of ${view.total} cells`, tookMs, facts });
  }
  if (view.state === 'halted' && before.state !== 'halted') {
    decisions.push({
      kind: 'failure',
      act: 'halted',
      ...about,
      outcome: 'no further cell starts',
      reason: view.waitingFor?.detail ?? report.result?.reason ?? '',
      evidence: evidenceOf(view),
      tookMs,
      facts: { systemic: report.systemic, purpose, ...perimeter, ...reconciles },
    });
  }
  if (view.state !== 'halted' && before.state === 'halted') {
    decisions.push({ act: 'resumed', ...about, outcome: view.state, facts: perimeter });
  }
  decisions.push(...decisionsOfSystemic(before.systemic, state, view));
  if (report.ended) {
    const { reason = '' } = report.result ?? {};
    const facts = { purpose, ...perimeter, ...reconciles, ...mendedBy(turn, report), ...returnedBy(report) };
    decisions.push({ act: 'finished', ...about, outcome: outcomeOf(report), reason, tookMs, facts });
  }
  return decisions;
}

/** What came of a pass; of one that took a package back `converged` would say nothing. */
function outcomeOf({ result, view, purpose }: RingReport): string {
  const { outcome = view.state } = result ?? {};
  return purpose === 'rollback' && outcome === 'converged' ? 'rolled-back' : outcome;
}

/** How many cells of the ring a rollback took back, and how many it could not. */
const returnedBy = ({ purpose, view }: RingReport): { rolledBack?: number; stayed?: number } =>
  purpose === 'rollback' ? { rolledBack: view.rolledBack, stayed: view.failed } : {};

/** As many names as the facts of an entry have room for. */
const MOST_NAMES = 15;

/** A pass over some cells of a ring says nothing of the ring: by these names it is known which cells are well again. */
function mendedBy({ request }: Turn, { view, result }: RingReport): { mended?: string[] } {
  if (!request.cells || result?.outcome !== 'converged') return {};
  const left = new Set(view.exceptions.map(({ cell }) => cell));
  return { mended: request.cells.filter((cell) => !left.has(cell)).slice(0, MOST_NAMES) };
}

/** What a stop rests on: what was measured of the ring, or else of the cells that failed in it. */
function evidenceOf({ health, exceptions }: RolloutRing): string[] {
  const ofRing = health?.ring?.verdict === 'healthy' ? [] : (health?.ring?.evidence ?? []);
  const found = ofRing.length > 0 ? ofRing : exceptions.flatMap(({ evidence = [] }) => evidence);
  return found.map(({ sentence }) => sentence);
}

function decisionsOfSystemic(
  before: ClusterState['systemic'],
  { systemic: after, rollbacks }: ClusterState,
  view: RolloutRing,
): Decision[] {
  if (before?.version === after?.version && before?.ring === after?.ring) return [];
  if (!after) return before ? [{ act: 'systemicOver', version: before.version, ring: before.ring }] : [];
  const { version, ring } = after;
  const { why, fixedIn } = after;
  const about = { kind: 'failure' as const, act: 'systemic', version, ring, facts: { why, fixedIn } };
  const outcome = 'a newer package needs a yes, or the fix';
  if (why === 'rolled-back') return [{ ...about, outcome, reason: rollbacks[version]?.reason ?? '' }];
  const reason = view.health?.ring?.sentence ?? view.waitingFor?.detail ?? '';
  return [{ ...about, outcome, reason, evidence: evidenceOf(view) }];
}

/** The pass of a turn is gone without a word. */
export function decisionOfLoss(ring: number, { request, grantedAtMs }: Turn, now: number): Decision {
  const { version, sender, purpose } = request;
  return {
    kind: 'failure',
    act: 'passLost',
    version,
    ring,
    outcome: 'its turn is free',
    reason: 'the pass that held the ring is gone',
    tookMs: now - grantedAtMs,
    facts: { sender, purpose },
  };
}

/** Whether a package may leave the perimeter, and on whose word. */
export function decisionOfGraduation(
  { version, lane, by, at, chartVersion }: AskGraduation,
  rejection: Problem | null,
): Decision {
  const about = { version, facts: { by, graduatedAt: at, lane, chartVersion } };
  if (rejection === null) return { act: 'graduated', ...about };
  const { path, value, expected } = rejection;
  return { act: 'graduationRefused', ...about, reason: `${path}: found ${value}, expected ${expected}` };
}

/** A package is taken back: it has graduated no more, also where its rollout has ended before, or never says how it does. */
export function decisionOfReturn(version: string, state: ClusterState): Decision {
  const { chartVersion = null, runsWith = null, run = '' } = state.ended[version] ?? {};
  return { act: 'ended', version, outcome: 'rolled-back', facts: { run, supersededBy: null, chartVersion, runsWith } };
}

/** What came of taking a package back. */
export function decisionOfRollbackEnd(
  { version, ring, state, reason, rings, startedAt }: PackageRollbackStatus,
  left: LeftOnPackage,
  givenUp: { by: string; reason: string } | null,
  now: number,
): Decision {
  const rolledBack = rings.reduce((sum, r) => sum + r.rolledBack, 0);
  return {
    act: 'rollbackEnded',
    version,
    ...(ring === undefined ? {} : { ring }),
    outcome: `${state}: ${rolledBack} cells went back, ${left.total} stayed`,
    reason: givenUp ? `given up by ${givenUp.by}: ${givenUp.reason}` : reason,
    tookMs: now - Date.parse(startedAt),
    facts: {
      ...{ rolledBack, stayed: left.total, needDowntime: left.needDowntime.slice(0, MOST_NAMES) },
      left: left.named.map(({ cell }) => cell).slice(0, MOST_NAMES),
    },
  };
}

/** How a rollout ended, with all that the cluster remembers of it. */
export function decisionOfEnd(message: RolloutEnded, state: ClusterState): Decision | null {
  const ended = state.ended[message.version];
  return ended?.run === message.run ? endOf({ ...message, state: ended.state }, ended) : null;
}

/** The same, as the rollout itself knows it, where no cluster is there to hear it; null: it is as if it had not been. */
export const decisionOfUnheardEnd = (message: RolloutEnded, charts: Charts): Decision | null =>
  message.forget ? null : endOf(message, charts);

type Charts = Pick<EndedRollout, 'chartVersion' | 'runsWith'>;

function endOf(
  { version, state, run, supersededBy }: RolloutEnded,
  { chartVersion, runsWith = null }: Charts,
): Decision {
  const reason = supersededBy === null ? {} : { reason: `${supersededBy} took its place` };
  return { act: 'ended', version, outcome: state, ...reason, facts: { run, supersededBy, chartVersion, runsWith } };
}
