import { type Facts, factsOf } from './facts.js';
import { actsAreKept } from './rules/acts-are-kept.js';
import { blockedNowhere } from './rules/blocked-nowhere.js';
import { brakesHold } from './rules/brakes-hold.js';
import { calendarHolds } from './rules/calendar-holds.js';
import { failuresGoBack } from './rules/failures-go-back.js';
import { graduatedOnly } from './rules/graduated-only.js';
import { migrationsLast } from './rules/migrations-last.js';
import { neverOlder } from './rules/never-older.js';
import { oneChangeAtATime } from './rules/one-change-at-a-time.js';
import { perimeterOnCommand } from './rules/perimeter-on-command.js';
import { ringAfterRing } from './rules/ring-after-ring.js';
import { submittedOnce } from './rules/submitted-once.js';
import type { Evidence, Leeway, Violation } from './types.js';

export type { ActRecord, Evidence, Leeway, LoggedJob, Violation } from './types.js';

/** By number in contract section 7, 0 for what the contract says elsewhere. Rule 8 is about measurements, of which AMP's log knows nothing. */
const RULES: ((facts: Facts) => Violation[])[] = [
  oneChangeAtATime,
  ringAfterRing,
  graduatedOnly,
  blockedNowhere,
  brakesHold,
  calendarHolds,
  submittedOnce,
  failuresGoBack,
  migrationsLast,
  perimeterOnCommand,
  neverOlder,
  actsAreKept,
];

/** Clocks of one machine; a busy one may take seconds to tell every ring of a failure. */
const ONE_MACHINE: Leeway = { toleranceMs: 5, noticeMs: 3_000 };

/** What of contract section 7 did not hold, by AMP's own log of jobs, the topology and the record of acts; none: []. */
export function checkInvariants(evidence: Evidence, leeway: Partial<Leeway> = {}): Violation[] {
  const facts = factsOf(evidence, { ...ONE_MACHINE, ...leeway });
  return RULES.flatMap((rule) => rule(facts));
}
