import type { CalendarWait } from '../../contract/calendar.js';
import type { RingAnswer, RingReport } from '../../contract/internal.js';
import type { RingResult, RolloutRing, WaitingFor } from '../../contract/status.js';
import { holding } from '../brake.js';
import { isCalendarWait } from '../calendar/gate.js';
import { waitForBrake } from '../ring/view.js';
import { migrationHold, type PackageState, type Track, tracksOf } from './state.js';
import { ringResult } from './view.js';
import { forgetOverrides } from './waits.js';

/** What the cluster and a pass say of one ring, put into the package's state. */

/** The cluster's answer to a request inside the perimeter that does not end in a turn. */
export function settleTrack(s: PackageState, track: Track, answer: RingAnswer, now: number): void {
  if (answer.kind === 'held') {
    Object.assign(track, { name: answer.name, soft: answer.soft, held: answer.waiting });
    return;
  }
  track.stage = 'over';
  track.held = null;
  if (answer.kind === 'refused') {
    Object.assign(track, { name: answer.name, soft: answer.soft });
    const { code, wait, supersededBy, detail, until, next } = answer;
    const result = ringResult(s, track, { outcome: 'refused', code, supersededBy, reason: detail }, now);
    track.settled = { ...result, ...(wait ? { wait } : {}), ...(until ? { until } : {}), next };
  }
  if (answer.kind === 'replaced') {
    Object.assign(track, { name: answer.name, soft: answer.soft });
    const superseded = {
      outcome: 'superseded' as const,
      code: null,
      supersededBy: answer.by,
      reason: 'a newer package',
    };
    track.settled = ringResult(s, track, superseded, now);
  }
}

/**
 * Its pass is there. Where no worker was, one task brings the word of that together with the pass's reports, and those are
 * heard first: a pass that was over by then stays so, for nobody would say it again.
 */
export function noteStarted(track: Track, pass: string): void {
  if (track.stage === 'granted') track.stage = 'running';
  track.pass = pass;
  // What was to stop it while it started has not reached it: it is told again.
  track.stopped = false;
}

/** What a pass reports: the ring's view, whether it is baked, and how it stands for callers. */
export function noteReport(s: PackageState, track: Track, report: RingReport, now: number): void {
  noteFailures(s, track, report, now);
  track.stage = report.ended ? 'over' : 'running';
  track.pass = report.pass;
  s.runsWith ??= report.runsWith ?? null;
  track.view = report.view;
  // Before it has looked, a pass knows of no more than the one before it.
  if (Object.keys(report.observed).length > 0) track.leftBehind = [];
  track.entered = true;
  track.result = report.result;
  track.migrationFailed = report.migrationFailed;
  track.migrationFailedAtMs = report.migrationFailed.length === 0 ? null : (track.migrationFailedAtMs ?? now);
  if (report.ended) forgetOverrides(s, track.ring);
  const softEnd = report.ended && track.soft && report.result?.outcome === 'failed';
  // A soft ring never blocks: what failed there is reported, and the package goes on.
  track.baked = track.baked || report.baked || softEnd;
  track.settled = report.result ? ringResult(s, track, report.result, now) : null;
}

/**
 * The cluster granted `ring` as the next one after `after`; null: there is none. A ring in between that was to be entered
 * again is none of the outer rings any more: there is nothing to enter.
 */
export function noteNext(s: PackageState, after: number | null, ring: number | null): void {
  const isPast = (track: Track) => track.ring > (after ?? -1) && (ring === null || track.ring < ring);
  for (const track of tracksOf(s)) {
    if (track.again && isPast(track)) Object.assign(track, { again: false, baked: true });
  }
}

/**
 * A pass that has ended was told of a retry when all was over for it, and left cells that it was meant for: another pass
 * is to do it. What has taken the ring from it for good is past retrying.
 */
export function missedRetry({ retries = 0, result }: Track, { retries: heard = 0, view }: RingReport): boolean {
  const isTaken = result?.outcome === 'superseded' || result?.outcome === 'refused';
  // What was not begun where a pass was stopped is no retry's business; what its budget bore is.
  const pending = result?.outcome === 'converged' ? view.pending : 0;
  return retries > heard && !isTaken && view.failed + view.rolledBack + pending > 0;
}

function noteFailures(s: PackageState, track: Track, report: RingReport, now: number): void {
  const before = new Set(track.view?.exceptions.map((e) => `${e.cell} ${e.state}`));
  const at = new Date(now).toISOString();
  for (const { cell, state, reason, jobId } of report.view.exceptions) {
    const isNew = !before.has(`${cell} ${state}`) && state !== 'skipped' && state !== 'quarantined';
    if (isNew) s.failures.push({ at, ring: track.ring, cell, state, reason, ...(jobId ? { jobId } : {}) });
  }
}

/** A pass that only a person, or the calendar, lets go on. */
export const isHeld = ({ view }: Track): boolean =>
  view !== null && (view.state === 'braked' || (view.state === 'waiting' && closedBy(view) !== null));

const closedBy = ({ waitingFor }: RolloutRing): CalendarWait | null =>
  waitingFor && waitingFor.next.length > 0 && isCalendarWait(waitingFor.kind) ? waitingFor.kind : null;

/** A pass that a brake or the calendar holds: its callers are answered, and it goes on once that is over. */
export function heldResult(s: PackageState, track: Track, now: number): RingResult {
  const wait = track.view && closedBy(track.view);
  const stopped = track.view?.waitingFor?.blocked ? ('blocked' as const) : ('braked' as const);
  const code = wait ? ('frozen' as const) : stopped;
  const pass = { outcome: 'refused' as const, code, supersededBy: null, reason: code };
  const until = track.view?.waitingFor?.until;
  return { ...ringResult(s, track, pass, now), ...(wait ? { wait } : {}), ...(until ? { until } : {}) };
}

/** What was superseded or has converged, no restart opens. */
function afterEnd({ version, end, blocked }: PackageState): string[] {
  const isClosed = end?.state === 'superseded' || end?.state === 'converged';
  const newestVersion = end?.supersededBy ?? version;
  const unblock = blocked ? [`cellctl unblock ${blocked.version} --reason "…"`] : [];
  return isClosed ? [`cellctl status ${newestVersion}`] : [...unblock, `cellctl restart ${version} --reason "…"`];
}

/** Refused before anything was asked of the cluster. */
export function refusedResult(
  s: PackageState,
  ring: number,
  code: 'ended' | 'braked' | 'blocked',
  wait: Pick<WaitingFor, 'until' | 'next'> | null,
  now: number,
): RingResult {
  const { version, end } = s;
  const at = new Date(now).toISOString();
  return {
    ring,
    version,
    outcome: 'refused',
    blocking: !s.softRings.includes(ring) && s.tracks[ring]?.soft !== true,
    code,
    ...(wait?.until ? { until: wait.until } : {}),
    next: wait?.next ?? afterEnd(s),
    ...(end?.supersededBy ? { supersededBy: end.supersededBy } : {}),
    startedAt: at,
    finishedAt: at,
    cells: { total: 0, converged: 0, failed: 0, rolledBack: 0, quarantined: 0, skipped: 0 },
    exceptions: [],
    checks: s.checks.filter((c) => c.ring === ring),
  };
}

/** Why nothing of this package may begin to go forward in a ring now, as its caller is answered; null: it may. */
export function refusedNow(s: PackageState, ring: number, now: number): RingResult | null {
  if (s.end !== null || s.abort !== null) {
    const isBlocked = s.blocked && s.end?.state !== 'superseded' && s.end?.state !== 'converged';
    return refusedResult(s, ring, isBlocked ? 'blocked' : 'ended', null, now);
  }
  const brake = holding(s.brakes, now)[0];
  if (brake) return refusedResult(s, ring, 'braked', waitForBrake(brake, ring, s.version), now);
  const hold = migrationHold(s, ring);
  return hold
    ? refusedResult(s, ring, 'blocked', { next: [`cellctl retry --ring ${hold.ring} ${s.version}`] }, now)
    : null;
}
