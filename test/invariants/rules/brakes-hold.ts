import { type Act, clock, type Facts, type Job, jobsOn, passBegan, say, short, statusOf } from '../facts.js';
import { same } from '../packages.js';
import type { Violation } from '../types.js';

interface Brake {
  id: string;
  /** The package that it stops; null: all. */
  version: string | null;
  scope: unknown;
  mode: string;
  /** From the answer on nothing may start. */
  heldFromMs: number;
  /** Until its release, or another brake in its place, was asked for, or it expired. */
  heldUntilMs: number;
  inFlight: string[];
}

/**
 * 4. After a brake is acknowledged no forward job that it covers is created until it is released or expires, but on
 * cells that its answer named and, in mode `finish-ring`, in rings already entered.
 */
export function brakesHold(facts: Facts): Violation[] {
  return brakesOf(facts).flatMap((brake) => {
    const under = facts.jobs.filter((job) => isUnder(facts, brake, job));
    return under.flatMap((job) => {
      const why = whyNot(facts, brake, job, under);
      if (why === null) return [];
      const during = `under brake ${brake.id}, answered at ${clock(brake.heldFromMs)}`;
      return [{ rule: 4, message: `${say(job)} ${during}: ${why}`, jobs: [job.id] }];
    });
  });
}

function brakesOf(facts: Facts): Brake[] {
  return facts.acts.flatMap((act) => {
    const answer = act.answer as { brakeId?: string; inFlight?: string[] } | null;
    if (act.act !== 'engageBrake' || act.answeredMs === null || typeof answer?.brakeId !== 'string') return [];
    const { scope = 'cluster', mode = 'finish-cells', expiresAt } = act.payload;
    const expiresMs = typeof expiresAt === 'string' ? Date.parse(expiresAt) : Number.POSITIVE_INFINITY;
    return [
      {
        id: answer.brakeId,
        version: act.version,
        scope,
        mode: String(mode),
        heldFromMs: act.answeredMs,
        heldUntilMs: Math.min(expiresMs, ...endsOf(facts, act, answer.brakeId)),
        inFlight: answer.inFlight ?? [],
      },
    ];
  });
}

/** When a release of the brake, or another one under its id, was asked for. */
function endsOf(facts: Facts, brake: Act, brakeId: string): number[] {
  const later = facts.acts.filter((a) => a !== brake && a.askedMs >= brake.askedMs && !a.refused);
  const ends = later.filter(
    ({ act, version, payload, answer }) =>
      version === brake.version &&
      ((act === 'releaseBrake' && (payload.brakeId ?? brakeId) === brakeId) ||
        (act === 'engageBrake' &&
          (payload.brakeId ?? (answer as { brakeId?: string } | null)?.brakeId ?? brakeId) === brakeId)),
  );
  return ends.map((a) => a.askedMs);
}

function isUnder({ perimeter, leeway }: Facts, brake: Brake, job: Job): boolean {
  if (!job.forward || job.ring === null) return false;
  if (job.createdMs <= brake.heldFromMs + leeway.toleranceMs) return false;
  if (job.createdMs >= brake.heldUntilMs - leeway.toleranceMs) return false;
  if (brake.version !== null) return same(brake.version, job.version);
  if (brake.scope === 'cluster') return true;
  if (brake.scope === 'outer') return job.ring > perimeter;
  return (brake.scope as { ring?: number }).ring === job.ring;
}

function whyNot(facts: Facts, brake: Brake, job: Job, under: Job[]): string | null {
  if (brake.mode === 'finish-ring' && wasEntered(facts, brake, job)) return null;
  if (!brake.inFlight.includes(job.cell)) return 'its answer did not name this cell as in flight';
  const others = under.filter((j) => j.cell === job.cell && j.createdMs < job.createdMs);
  if (others.length > 0) return 'the cell that was in flight had its job already';
  // One run at a time works on a cell, so a job under way was that of the run that was named.
  const had = jobsOn(facts, job.cell).find((j) => j.forward && wasUnderWay(j, brake.heldFromMs));
  return had ? `what was in flight there was ${say(had)}` : null;
}

const wasUnderWay = (job: Job, atMs: number): boolean =>
  job.createdMs < atMs && (job.finishedMs === null || job.finishedMs > atMs);

function wasEntered(facts: Facts, brake: Brake, job: Job): boolean {
  const isBefore = (ms: number) => ms <= brake.heldFromMs + facts.leeway.toleranceMs;
  const here = (j: Job) => j.ours && j.ring === job.ring && short(j.version) === short(job.version);
  if (facts.jobs.some((j) => here(j) && isBefore(j.createdMs))) return true;
  const beganMs = passBegan(job);
  if (beganMs !== null) return isBefore(beganMs);
  const ring = statusOf(facts, job.version)?.rings.find((r) => r.ring === job.ring);
  return ring?.startedAt != null && isBefore(Date.parse(ring.startedAt));
}
