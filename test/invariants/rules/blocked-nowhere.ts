import { type Act, clock, type Facts, type Job, say } from '../facts.js';
import { compare, isPackage } from '../packages.js';
import type { Violation } from '../types.js';

interface Block {
  version: string;
  fixedIn: string | null;
  heldFromMs: number;
  /** Until its end, or another block in its place, was asked for. */
  heldUntilMs: number;
  inFlight: string[];
}

/**
 * 3. No cell is moved forward to a package that is blocked: every one from the package named up to, not including, the
 * one that it is fixed in; but on cells that the answer named as in flight.
 */
export function blockedNowhere(facts: Facts): Violation[] {
  return blocksOf(facts).flatMap((block) => {
    const under = facts.jobs.filter((job) => isUnder(facts, block, job));
    return under.flatMap((job) => {
      const before = under.some((j) => j.cell === job.cell && j.createdMs < job.createdMs);
      if (block.inFlight.includes(job.cell) && !before) return [];
      const message = `${say(job)} although it is blocked, as was answered at ${clock(block.heldFromMs)}`;
      return [{ rule: 3, message, jobs: [job.id] }];
    });
  });
}

function blocksOf(facts: Facts): Block[] {
  return facts.acts.flatMap((act) => {
    if (act.act !== 'blockVersion' || act.answeredMs === null || act.refused) return [];
    const { version, fixedIn } = act.payload;
    const { inFlight = [] } = (act.answer ?? {}) as { inFlight?: string[] };
    return [
      {
        version: String(version),
        fixedIn: typeof fixedIn === 'string' ? fixedIn : null,
        heldFromMs: act.answeredMs,
        heldUntilMs: endOf(facts, act),
        inFlight,
      },
    ];
  });
}

function endOf({ acts }: Facts, block: Act): number {
  const later = acts.filter((a) => a !== block && !a.refused && a.askedMs >= block.askedMs);
  const ends = later.filter(
    ({ act, payload }) =>
      (act === 'unblockVersion' || act === 'blockVersion') && payload.version === block.payload.version,
  );
  return Math.min(Number.POSITIVE_INFINITY, ...ends.map((a) => a.askedMs));
}

function isUnder({ leeway }: Facts, block: Block, job: Job): boolean {
  if (!job.forward || job.ring === null || !isPackage(job.version)) return false;
  if (compare(job.version, block.version) < 0) return false;
  if (block.fixedIn !== null && compare(job.version, block.fixedIn) >= 0) return false;
  return (
    job.createdMs > block.heldFromMs + leeway.toleranceMs && job.createdMs < block.heldUntilMs - leeway.toleranceMs
  );
}
