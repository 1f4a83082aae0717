import type { RingReturn, Survey } from '../../contract/activities.js';
import type { TroubleKind } from '../../contract/internal.js';
import type { PackageRollbackArgument } from '../../contract/messages.js';
import type { Problem } from '../../contract/problem.js';
import type { LeftOnPackage, RollbackAnswer } from '../../contract/returning.js';
import type { CellException, ReturnPlan, RolloutRing, RolloutState } from '../../contract/status.js';
import { COORDINATOR } from '../brake.js';
import { nextStep } from '../rollout/plan.js';
import { isOpen, newPackageState, type PackageState, tracksOf } from '../rollout/state.js';

/** A package that is taken back from its cells, as plain JSON: it is the argument of the next run. */
export interface RollbackState {
  order: PackageRollbackArgument;
  /** The rings, as a rollout that takes its package back has them. */
  package: PackageState;
  stage: 'announce' | 'survey' | 'return';
  /** What the cluster said to it; null: it has not answered yet. */
  word: 'accepted' | 'refused' | null;
  /** What the first look at every cell came to; null: it is under way. */
  plan: ReturnPlan[] | null;
  /** How often every cell was looked at. */
  surveys: number;
  /** Rings that the cluster named. */
  named: number[];
  /** Cells that went back in passes that another one of the same ring followed. */
  before: Record<number, number>;
  /** Why nobody can tell what the cells run, and since when. */
  trouble: { kind?: TroubleKind; detail: string; sinceMs: number } | null;
  /** A person gave it up, or the cluster refused it. */
  givenUp: { by: string; reason: string } | null;
}

/** AMP is asked so often to take a cell back whose job fails. */
export const TRIES = 3;
/** What a job in flight brought after the first look is found by the last one; more rounds would never have to end. */
export const MAX_SURVEYS = 3;

export function newRollbackState(order: PackageRollbackArgument, now: number): RollbackState {
  const { version, by, reason, allowDowntime = [], toBlocked = false } = order;
  const back = { allowDowntime, toBlocked, tries: TRIES };
  const abort = { by, reason, rollback: true };
  const state = { ...newPackageState(version, null, now), registered: true, accepted: true, abort, back };
  const nothing = { word: null, plan: null, surveys: 0, named: [], before: {}, trouble: null, givenUp: null };
  return { order, package: state, stage: 'announce', ...nothing };
}

export type RollbackStep =
  | { do: 'announce' }
  | { do: 'survey' }
  /** Rings are taken, and passes heard. */
  | { do: 'return' }
  | { do: 'wait' }
  | { do: 'end'; state: RolloutState };

export function nextRollbackStep(s: RollbackState, now: number, oustAfterMs: number): RollbackStep {
  if (s.package.end) return { do: 'end', state: s.package.end.state };
  if (s.givenUp) return tracksOf(s.package).some(isOpen) ? { do: 'wait' } : { do: 'end', state: 'aborted' };
  if (s.stage !== 'return') return { do: s.stage };
  if (nextStep(s.package, now, 0, oustAfterMs).do !== 'end') return { do: 'return' };
  return s.surveys < MAX_SURVEYS ? { do: 'survey' } : { do: 'end', state: endOf(s) };
}

/**
 * Takes the cluster's word. Whoever does not answer holds nothing up, so it may come late: a refusal ends also what has begun
 * without it, as a person who gives it up would. What was accepted once stays so, and be it that a cluster without memory
 * would refuse it now. Answers the refusal where it counts.
 */
export function noteAnswer(
  s: RollbackState,
  { refused, rings }: Pick<RollbackAnswer, 'refused' | 'rings'>,
): Problem | null {
  if (s.word !== null || s.package.end) return null;
  s.word = refused ? 'refused' : 'accepted';
  if (refused) s.givenUp ??= { by: COORDINATOR, reason: `refused: expected ${refused.expected}` };
  else s.named = rings;
  return refused;
}

/** Nobody can tell what the cells run: since the first time in a row that it was so. */
export function noteTrouble(
  s: RollbackState,
  { kind, detail }: { kind: TroubleKind; detail: string },
  now: number,
): void {
  s.trouble = { kind, detail, sinceMs: s.trouble?.sinceMs ?? now };
}

/** Takes what a look at every cell came to. */
export function noteSurvey(s: RollbackState, survey: Survey): void {
  s.surveys += 1;
  s.trouble = null;
  const isFirst = s.plan === null;
  s.plan ??= survey.rings.map(({ on: _, ...ring }) => ring);
  if (s.order.dryRun) return;
  const seen = survey.rings.filter((ring) => isFirst || isLeft(s, ring)).map(({ ring }) => ring);
  const named = isFirst ? s.named.filter((ring) => s.order.ring === undefined || ring === s.order.ring) : [];
  const rings = [...new Set([...seen, ...named])];
  if (rings.length === 0) s.surveys = MAX_SURVEYS;
  for (const ring of rings) forgetPass(s, ring);
  s.package.alsoOn = rings;
  s.stage = 'return';
}

/** Cells are on the package that no pass, and no person, has named with the reason, or may still come to it. */
function isLeft(s: RollbackState, { ring, cells, on, underWay }: RingReturn): boolean {
  const { exceptions = [], exceptionsTotal = 0 } = s.package.tracks[ring]?.view ?? {};
  if (underWay > 0) return true;
  // Where there are more than are named, their number has to do.
  if (on.length < cells || exceptions.length < exceptionsTotal) return cells > exceptionsTotal;
  const named = new Set([...exceptions, ...s.package.skips].map(({ cell }) => cell));
  return on.some((cell) => !named.has(cell));
}

/** Another pass of the same ring begins; what the one before it did stays counted. */
function forgetPass(s: RollbackState, ring: number): void {
  const track = s.package.tracks[ring];
  if (!track) return;
  s.before[ring] = (s.before[ring] ?? 0) + (track.view?.rolledBack ?? 0);
  delete s.package.tracks[ring];
}

/** A person left it out, or its ring has it no more: one that came to another ring is that ring's. */
const isLetBe = ({ state }: CellException): boolean =>
  state === 'skipped' || state === 'quarantined' || state === 'left';

const LEFT_NAMED_AT_MOST = 20;

/** Cells that stayed on the package although no person left them there. */
export function leftOf(s: RollbackState): LeftOnPackage {
  const views = tracksOf(s.package).flatMap(({ view }) => view ?? []);
  const stayed = views.flatMap(({ exceptions }) => exceptions.filter((e) => !isLetBe(e)));
  const unnamed = views.reduce((sum, v) => sum + v.exceptionsTotal - v.exceptions.length, 0);
  const named = stayed.slice(0, LEFT_NAMED_AT_MOST);
  return {
    total: stayed.length + unnamed,
    named: named.map(({ cell, reason }) => ({ cell, reason: reason.slice(0, 200) })),
    needDowntime: named.filter((e) => e.needsDowntime).map(({ cell }) => cell),
    ...(s.order.ring === undefined ? {} : { ring: s.order.ring }),
    ...(s.order.block === false ? { block: false as const } : {}),
  };
}

/** `rolled-back` where every cell has left the package that can without downtime, and that nobody left out. */
export function endOf(s: RollbackState): RolloutState {
  const isLost = tracksOf(s.package).some((t) => t.result?.outcome === 'lost');
  const views = tracksOf(s.package).flatMap(({ view }) => view ?? []);
  return !isLost && views.every(isExplained) ? 'rolled-back' : 'aborted';
}

/** Of the cells that stay not all may be named: then their number decides, of which nothing speaks for one untold. */
function isExplained({ exceptions, exceptionsTotal, failed, needDowntime = 0 }: RolloutRing): boolean {
  const isWanted = (e: CellException) => e.needsDowntime === true || isLetBe(e);
  const areAllNamed = exceptions.length >= exceptionsTotal;
  return exceptions.every(isWanted) && (areAllNamed || failed <= needDowntime);
}
