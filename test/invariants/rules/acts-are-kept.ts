import { type Act, clock, type Facts, statusOf } from '../facts.js';
import type { SeenAct, Violation } from '../types.js';

/** So many acts a status keeps; older ones are history. */
const KEPT = 200;
/** What people do, by the contract's names. */
const BY_PEOPLE = [
  ...['deployRing', 'migrateRing', 'graduate', 'recordCheck', 'engageBrake', 'releaseBrake', 'approveRing'],
  ...['override', 'retryRing', 'skipCell', 'abort', 'restart', 'applyTopology'],
  ...['quarantineCell', 'readmitCell', 'resumeAutoDeploy'],
  ...['blockVersion', 'unblockVersion', 'rollback'],
];

/** 11. Every act of a person is kept: who, when, why, what came of it. What was refused changed nothing, and is answered. */
export function actsAreKept(facts: Facts): Violation[] {
  return facts.acts
    .filter((a) => BY_PEOPLE.includes(a.act) && a.answeredMs !== null && !a.refused && !isUnderWay(a))
    .flatMap((act) => judge(facts, act));
}

/** The answer says that a rollback is under way already: this one was not begun. */
const isUnderWay = ({ act, answer }: Act): boolean => act === 'rollback' && answer === false;

function judge(facts: Facts, act: Act): Violation[] {
  const kept = keptFor(facts, act);
  const { by, reason } = act.payload;
  if (!kept || typeof by !== 'string' || isBeyond(kept, act)) return [];
  const like = kept.filter((k) => k.act === act.act && k.by === by && (reason === undefined || k.reason === reason));
  if (like.some((k) => isThen(facts, act, k) && k.outcome !== '') || isFiled(facts, act)) return [];
  const whose = act.version ?? 'the cluster';
  const message = `${act.act} of ${whose} by ${by}, answered at ${clock(act.answeredMs ?? 0)}, is not kept`;
  return [{ rule: 11, message, jobs: [] }];
}

/** The acts of the run that was asked; null where they are not at hand, for instance because another run came since. */
function keptFor(facts: Facts, act: Act): SeenAct[] | null {
  if (act.act === 'rollback') return Object.entries(facts.rollbacks).find(([v]) => v === act.version)?.[1] ?? null;
  if (act.version === null) return facts.cluster?.acts ?? null;
  const status = statusOf(facts, act.version);
  if (!status) return null;
  const startedMs = Date.parse(status.startedAt);
  // The first act starts the run that keeps it; a later one asked before the run began was for an earlier run.
  const first = facts.acts.find((a) => a.version === act.version);
  const isFirstRun = act === first && (act.answeredMs ?? 0) >= startedMs - facts.leeway.toleranceMs;
  const ofThisRun = isFirstRun || act.askedMs >= startedMs - facts.leeway.toleranceMs;
  return ofThisRun ? (status.acts ?? null) : null;
}

const isBeyond = (kept: SeenAct[], act: Act): boolean =>
  kept.length >= KEPT && Date.parse(kept[0]?.at ?? '') > (act.answeredMs ?? 0);

/** An abort that met a rollout which had just ended is answered with how it ended, and filed as refused: it changed nothing. */
function isFiled(facts: Facts, act: Act): boolean {
  if (act.act !== 'abort' || act.version === null) return false;
  const { finishedAt = null, rejected = [] } = statusOf(facts, act.version) ?? {};
  const { toleranceMs } = facts.leeway;
  const isThen = (at: string) =>
    Date.parse(at) >= act.askedMs - toleranceMs && Date.parse(at) <= (act.answeredMs ?? 0) + toleranceMs;
  return finishedAt !== null && rejected.some((r) => r.message === act.act && isThen(r.at));
}

/** The same again changes nothing, so the record may be that of the first time. */
function isThen({ acts, leeway }: Facts, act: Act, { at }: SeenAct): boolean {
  const keptMs = Date.parse(at);
  // A rollback is a workflow of its own: its start is answered before anybody has kept anything.
  const isStart = act.act === 'rollback';
  if (!isStart && keptMs > (act.answeredMs ?? 0) + leeway.toleranceMs) return false;
  const again = acts.some((a) => a.askedMs < act.askedMs && a.act === act.act && a.payload.by === act.payload.by);
  return again || keptMs >= act.askedMs - leeway.toleranceMs;
}
