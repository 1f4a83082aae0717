import type { CompletePolicy } from './policy.js';

/**
 * What a lane makes of the policy of a ring: it changes times and sizes. Gates hold in every lane, which may add some and
 * take none away; what its cells are kept safe by is the ring's alone.
 */

type Rule<T> = (ring: T, lane: T) => T;

const lanes = <T>(_: T, lane: T): T => lane;
const rings = <T>(ring: T): T => ring;
/** The word that holds if either of them says it. */
const either =
  <T>(word: NoInfer<T>): Rule<T> =>
  (ring, lane) =>
    ring === word ? ring : lane;

const RULES: { readonly [F in keyof CompletePolicy]: Rule<CompletePolicy[F]> } = {
  maxParallel: lanes,
  firstCells: lanes,
  failureBudget: lanes,
  strictBudget: either(true),
  onFailure: rings,
  autoRollback: rings,
  downtimeRollback: rings,
  // What mends a fault must come to the cells that have it.
  deployToUnhealthy: lanes,
  bakeTime: lanes,
  scope: rings,
  postDeployMigrations: rings,
  gracePeriod: lanes,
  migrateWhen: either('everywhere'),
  approval: either('required'),
  smokeTests: either(true),
  mode: either('observe'),
  convergeWithin: lanes,
  deployTimeout: lanes,
  cancelTimeout: lanes,
  verifyTimeout: lanes,
  pollInterval: lanes,
  // Those of a lane hold beside the ring's: see `calendarOf`.
  deployWindows: (ring, lane) => (ring.length > 0 ? ring : lane),
  freezes: (ring, lane) => [...ring, ...lane],
  checks: (ring, lane) => [...ring, ...lane.filter(({ name }) => ring.every((check) => check.name !== name))],
};

type Field = keyof CompletePolicy;

/** The policy of a ring for packages of a lane. */
export function withLane(ring: CompletePolicy, lane: Partial<CompletePolicy>): CompletePolicy {
  const policy = { ...ring };
  for (const field of fieldsOf(lane)) lay(field, policy, lane);
  return policy;
}

function lay<F extends Field>(field: F, policy: CompletePolicy, lane: Partial<CompletePolicy>): void {
  policy[field] = RULES[field](policy[field], lane[field] as CompletePolicy[F]);
}

/** Fields of a lane that ask for less than what holds in a ring all the same, or for something else. */
export function withoutEffect(ring: CompletePolicy, lane: Partial<CompletePolicy>): Field[] {
  const inForce = withLane(ring, lane);
  return fieldsOf(lane).filter((field) => isLost(lane[field], inForce[field]));
}

const fieldsOf = (lane: Partial<CompletePolicy>): Field[] =>
  (Object.keys(RULES) as Field[]).filter((field) => lane[field] !== undefined);

/** A list adds to the ring's; only an empty one, or an entry that is there by its name already, asks for less. */
function isLost(asked: unknown, inForce: unknown): boolean {
  if (!Array.isArray(asked) || !Array.isArray(inForce)) return asked !== inForce;
  if (asked.length === 0) return inForce.length > 0;
  return asked.some((entry) => inForce.some(({ name }) => name && name === entry.name) && !has(inForce, entry));
}

const has = (list: unknown[], entry: unknown): boolean =>
  list.some((one) => JSON.stringify(one) === JSON.stringify(entry));
