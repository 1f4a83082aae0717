import { DateTime } from 'luxon';
import { actsFor, askedBefore, clock, type Facts, type Job, laneOf, say, statusOf } from '../facts.js';
import { type Policy, policyOf, type Topology, type Window } from '../policy.js';
import type { Violation } from '../types.js';

/**
 * Nothing goes forward outside the deploy windows of its ring, or in a freeze, unless a person ended that wait of that
 * package in that ring by name.
 */
export function calendarHolds(facts: Facts): Violation[] {
  return facts.jobs.flatMap((job) => {
    if (!job.forward || job.ring === null) return [];
    const kinds = topologiesFor(facts, job).map((topology) => closedBy(facts, topology, job));
    // Nobody outside knows which of several topologies a pass had frozen: the mildest counts.
    const mildest = kinds.sort((a, b) => a.length - b.length)[0] ?? [];
    const waits = mildest.filter((wait) => !isOverridden(facts, job, wait));
    if (waits.length === 0) return [];
    const message = `${say(job)} at ${clock(job.createdMs)}, which is closed by ${waits.join(' and ')}`;
    return [{ rule: 0, message, jobs: [job.id] }];
  });
}

/** An order that was on its way when the ring closed. */
const ON_ITS_WAY_MS = 1_500;

/** Topologies that a pass which had this job can have gone by. */
function topologiesFor(facts: Facts, job: Job): Topology[] {
  const applied = facts.acts.filter(
    ({ act, refused, payload, askedMs }) =>
      act === 'applyTopology' && !refused && payload.topology && askedMs <= job.createdMs,
  );
  const startedAt = statusOf(facts, job.version)?.rings.find((r) => r.ring === job.ring)?.startedAt ?? null;
  const enteredMs = startedAt === null || Date.parse(startedAt) > job.createdMs ? 0 : Date.parse(startedAt);
  // One that was asked for and not answered yet may not have been in force.
  const inForce = applied.findLastIndex(({ answeredMs }) => answeredMs !== null && answeredMs <= enteredMs);
  const before = inForce < 0 ? facts.topologies.slice(0, 1) : [];
  return [...before, ...applied.slice(Math.max(0, inForce)).map(({ payload }) => payload.topology as Topology)];
}

function closedBy(facts: Facts, topology: Topology, job: Job): string[] {
  const ring = topology.rings.find((r) => r.ring === job.ring);
  if (!ring) return [];
  const lane = ring.ring > topology.perimeter ? laneOf(facts, job.version) : null;
  const policy = policyOf(topology, ring, lane);
  const { toleranceMs } = facts.leeway;
  const holds = (isClosed: (policy: Policy, ms: number) => boolean) =>
    [-ON_ITS_WAY_MS, 0, toleranceMs].every((by) => isClosed(policy, job.createdMs + by));
  return [...(holds(isFrozen) ? ['freeze'] : []), ...(holds(isOutside) ? ['deploy-window'] : [])];
}

const isFrozen = ({ freezes }: Policy, ms: number): boolean =>
  freezes.some(({ from, to }) => Date.parse(from) <= ms && ms < Date.parse(to));

const isOutside = ({ deployWindows, laneWindows }: Policy, ms: number): boolean =>
  [deployWindows, laneWindows].some((windows) => windows.length > 0 && !windows.some((window) => isWithin(window, ms)));

/** By a clock on the wall of the window's time zone. */
function isWithin({ days, from, to, timezone }: Window, ms: number): boolean {
  const now = DateTime.fromMillis(ms, { zone: timezone }).setLocale('en');
  const time = now.toFormat('HH:mm');
  const dayOf = (at: DateTime) => at.toFormat('ccc').toLowerCase();
  if (from < to) return days.includes(dayOf(now)) && from <= time && time < to;
  return (days.includes(dayOf(now)) && from <= time) || (days.includes(dayOf(now.minus({ days: 1 }))) && time < to);
}

const isOverridden = (facts: Facts, job: Job, wait: string): boolean => {
  const acts = actsFor(facts, 'override', job.version);
  const named = acts.filter(({ payload }) => payload.wait === wait && payload.ring === job.ring);
  return askedBefore(named, job.createdMs, facts);
};
