import { actsFor, askedBefore, type Facts, say } from '../facts.js';
import type { Violation } from '../types.js';

/** 9. A graduation never touches rings inside the perimeter: they move only on `deployRing`. */
export function perimeterOnCommand(facts: Facts): Violation[] {
  const inside = facts.jobs.filter(
    (j) => j.ours && j.kind === 'configure' && j.ring !== null && j.ring <= facts.perimeter,
  );
  return inside.flatMap((job) => {
    const asked = actsFor(facts, 'deployRing', job.version).filter((a) => a.payload.ring === job.ring);
    if (askedBefore(asked, job.createdMs, facts)) return [];
    return [{ rule: 9, message: `${say(job)} came without deployRing of ring ${job.ring}`, jobs: [job.id] }];
  });
}
