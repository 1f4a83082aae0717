import { lazily } from '../../contract/lazily.js';
import { z } from '../../contract/zod.js';
import {
  COORDINATION_DEFAULTS,
  HEALTH_DEFAULTS,
  MAX_FREEZES,
  MAX_PARALLEL,
  MAX_WINDOWS,
  POLICY_DEFAULTS,
} from './defaults.js';
import {
  amount,
  anyUrl,
  cellUrl,
  duration,
  flag,
  formed,
  instant,
  number,
  positiveDuration,
  text,
  timeZone,
  until,
  whole,
  word,
} from './fields.js';

/** The topology file, field by field. What one field cannot know of another is in `checks.ts`. */

const NAME = /^[a-z0-9-]{1,63}$/;
const OF_NAME = '1 to 63 of a-z, 0-9 and -';

const object = <const S extends z.core.$ZodLooseShape>(shape: S) => z.strictObject(shape, 'an object');
const listOf = <T extends z.core.SomeType>(item: T) => z.array(item, 'a list');

/** An optional field with what it means and what holds without it. */
function field<T extends z.ZodType>(schema: T, description: string, fallback?: unknown) {
  return schema.optional().meta(fallback === undefined ? { description } : { description, default: fallback });
}

const hour = (last: string, expected: string) => formed(new RegExp(`^(([01]\\d|2[0-3]):[0-5]\\d${last})$`), expected);

const deployWindow = lazily(() =>
  object({
    days: listOf(word(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])).min(1, 'at least one day'),
    from: hour('', 'a time of day such as "07:00"'),
    to: hour('|24:00', 'a time of day such as "18:00"'),
    timezone: timeZone(),
  }),
);

const freeze = lazily(() => object({ from: instant(), to: instant(), reason: text('a reason').optional() }));

const check = lazily(() =>
  object({
    name: text('a name', 100),
    url: anyUrl(),
    every: positiveDuration().optional(),
    failClosed: flag().optional(),
  }),
);

const P = POLICY_DEFAULTS;

export const policySchema = lazily(() =>
  object({
    maxParallel: field(
      amount(1, MAX_PARALLEL),
      'Cells in flight at once in a ring: a number, or a share such as "20%" (rounded up, at least 1).',
      P.maxParallel,
    ),
    firstCells: field(whole(1), 'Cells that go first; all must pass before the others start.', P.firstCells),
    failureBudget: field(
      amount(0, Number.MAX_SAFE_INTEGER),
      'Failed cells that a ring bears: a number, or a share (rounded down).',
      P.failureBudget,
    ),
    strictBudget: field(flag(), 'true: cells in flight count as failed.', P.strictBudget),
    onFailure: field(word(['block', 'soft']), 'soft: reported, never blocks, never halted.', P.onFailure),
    autoRollback: field(word(['cell', 'ring', 'never']), 'What goes back when a cell fails.', P.autoRollback),
    downtimeRollback: field(word(['never', 'allowed']), 'Going back where it takes the cell down.', P.downtimeRollback),
    deployToUnhealthy: field(flag(), 'Deploy to a cell that is unhealthy before.', P.deployToUnhealthy),
    bakeTime: field(
      duration(),
      'How long a converged ring must stay healthy before the package goes further.',
      P.bakeTime,
    ),
    scope: field(word(['application', 'full']), 'full: infrastructure too.', P.scope),
    postDeployMigrations: field(
      word(['separate', 'with-deploy']),
      'with-deploy: for a tool that cannot split them.',
      P.postDeployMigrations,
    ),
    gracePeriod: field(duration(), 'From the end of the bake until PDM runs on the ring.', P.gracePeriod),
    migrateWhen: field(
      word(['grace', 'everywhere']),
      'everywhere: PDM only after the package has baked in every ring.',
      P.migrateWhen,
    ),
    approval: field(word(['none', 'required']), 'Whether a person must approve each package.', P.approval),
    smokeTests: field(flag(), 'Run smoke tests after the deployment.', P.smokeTests),
    mode: field(word(['act', 'observe']), 'observe: say what would be done, touch nothing.', P.mode),
    convergeWithin: field(positiveDuration(), 'From the ring’s turn until it should have converged.', P.convergeWithin),
    deployTimeout: field(positiveDuration(), 'Longest time of one AMP job, from its created_at.', P.deployTimeout),
    cancelTimeout: field(
      positiveDuration(),
      'A cancel that AMP has not confirmed by then is cancel-unconfirmed.',
      P.cancelTimeout,
    ),
    verifyTimeout: field(
      positiveDuration(),
      'How long a cell may take to be ready and report the right revision after its job ended.',
      P.verifyTimeout,
    ),
    pollInterval: field(positiveDuration(), 'How often a running job is asked for.', P.pollInterval),
    deployWindows: field(
      listOf(deployWindow()).max(MAX_WINDOWS, `at most ${MAX_WINDOWS} windows`),
      'When deployments and PDM may start; none: always.',
      [],
    ),
    freezes: field(
      listOf(freeze()).max(MAX_FREEZES, `at most ${MAX_FREEZES} freezes`),
      'When nothing goes forward.',
      [],
    ),
    checks: field(listOf(check()), 'Outside checks that must agree.', []),
  }).meta({ id: 'policy', description: 'Policy of all rings, of one ring, or of a lane. Every field is optional.' }),
);

const C = COORDINATION_DEFAULTS;

const coordinationSchema = lazily(() =>
  object({
    maxDrift: field(whole(0), 'Graduated packages a ring may be behind before auto-deploy pauses.', C.maxDrift),
    supersede: field(word(['waiting', 'never']), 'What a newer package may replace.', C.supersede),
    requireRing0: field(flag(), 'true: only a package that converged in ring 0 may graduate.', C.requireRing0),
    graduationTimeout: field(
      positiveDuration(),
      'A package not graduated by then ends as expired.',
      C.graduationTimeout,
    ),
    graduationExpectedEvery: field(
      positiveDuration(),
      'Alert when nothing graduates for so long.',
      C.graduationExpectedEvery,
    ),
    reconcileEvery: field(
      positiveDuration(),
      'How often the cells are compared with what is desired.',
      C.reconcileEvery,
    ),
    reconcileHandChanges: field(
      word(['report', 'converge']),
      'What happens to changes made by hand.',
      C.reconcileHandChanges,
    ),
    lookEvery: field(positiveDuration(), 'How often the rings under way are looked at.', C.lookEvery),
  }),
);

const signal = lazily(() =>
  object({
    query: text('a PromQL query', 10_000),
    worse: word(['lower', 'higher', 'both']),
    slo: number().optional(),
    zScore: number().positive('a number above 0').optional(),
    min: number().optional(),
    max: number().optional(),
    mode: field(
      word(['enforce', 'shadow']),
      'shadow: judged and kept, not obeyed; so are all signals of a shadow ring.',
    ),
  }),
);

const quiet = lazily(() =>
  object({
    signal: text('the name of a signal', 63),
    below: number(),
    for: positiveDuration(),
    // biome-ignore lint/suspicious/noThenProperty: the file's word; the value beside it is no function.
    then: word(['smoke-tests', 'hold']),
  }),
);

const signalName = lazily(() =>
  formed(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'a letter, then up to 62 letters, digits, _ or -'),
);

const H = HEALTH_DEFAULTS;

const healthSchema = lazily(() =>
  object({
    window: field(duration(), 'Observed after a deployment, before it counts as verified.', H.window),
    baseline: field(positiveDuration(), 'Observed before the deployment.', H.baseline),
    interval: field(positiveDuration(), 'Time between two samples.', H.interval),
    minSamples: field(whole(1), 'Fewer samples are inconclusive.', H.minSamples),
    onInconclusive: field(
      word(['hold', 'halt', 'rollback']),
      'What follows an inconclusive verdict.',
      H.onInconclusive,
    ),
    inconclusiveTimeout: field(positiveDuration(), 'Then a hold becomes a halt.', H.inconclusiveTimeout),
    mode: field(word(['enforce', 'shadow']), 'shadow: judged and kept, not obeyed.', H.mode),
    quiet: field(quiet(), 'A cell without traffic.', H.quiet),
    signals: field(
      z.record(signalName(), signal(), 'an object of signals'),
      'Signals by name; {{cell}} and {{label.NAME}} stand for the cell’s id and labels.',
    ),
  }).meta({ id: 'health', description: 'How the health of cells is judged.' }),
);

const labelName = lazily(() =>
  formed(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, 'a letter, then up to 62 letters, digits, _ . or -'),
);

const cellSchema = lazily(() =>
  object({
    id: formed(NAME, `a cell id: ${OF_NAME}`).meta({ description: 'Unique across all rings.' }),
    tenant: field(
      formed(/^[A-Za-z0-9._-]{1,128}$/, 'a tenant: 1 to 128 letters, digits, . _ or -'),
      'The cell’s name in AMP. Needed unless `observe`.',
    ),
    url: field(cellUrl(), 'Where the cell is asked for readiness and revision. Needed unless `observe`.'),
    labels: field(
      z.record(labelName(), z.string('text').max(200, 'at most 200 characters'), 'an object of labels'),
      'Free labels.',
    ),
    observe: field(flag(), 'true: read, and never changed.', false),
    pinned: field(
      object({ reason: text('a reason'), until: until().optional() }),
      'Watched, shown, never changed; until a day (included, UTC) or an instant.',
    ),
    quarantined: field(object({ reason: text('a reason') }), 'Out of all automation.'),
    join: field(word(['auto', 'quarantined']), 'How a cell that is new in a running cluster begins.'),
  }).meta({ id: 'cell', description: 'One GitLab installation.' }),
);

const ringSchema = lazily(() =>
  object({
    ring: whole(0, 'a whole ring number').meta({ description: 'Numbers need not be contiguous.' }),
    name: field(text('a name', 63), 'Without one: `ring-` and the number.'),
    deployedBy: field(
      word(['coordinator', 'external']),
      'external: other tools deploy this ring; its cells are only read.',
      'coordinator',
    ),
    policy: policySchema().optional(),
    health: healthSchema().optional(),
    cells: listOf(cellSchema()).default([]),
  }).meta({ id: 'ring', description: 'Cells that share one deployment risk.' }),
);

export const topologySchema = lazily(() =>
  object({
    cluster: formed(/^[A-Za-z0-9._-]{1,63}$/, 'the name of the cluster: 1 to 63 letters, digits, . _ or -'),
    perimeter: whole(0, 'a whole ring number').meta({ description: 'The last ring that release managers own.' }),
    policy: policySchema().optional(),
    coordination: field(coordinationSchema(), 'How packages share the rings.'),
    lanes: field(
      z.record(formed(NAME, OF_NAME), policySchema(), 'an object of lanes'),
      'Named sets of policy fields, chosen with a graduation: their times and sizes are laid over the policy, gates hold in every lane.',
    ),
    health: healthSchema().optional(),
    rings: listOf(ringSchema()),
  }),
);

/** The topology as it is written: durations and shares are text. */
export type WrittenTopology = z.infer<ReturnType<typeof topologySchema>>;
/** Policy fields as written; all optional. */
export type WrittenPolicy = z.infer<ReturnType<typeof policySchema>>;
export type WrittenCoordination = z.infer<ReturnType<typeof coordinationSchema>>;
export type WrittenHealth = z.infer<ReturnType<typeof healthSchema>>;
export type Cell = z.infer<ReturnType<typeof cellSchema>>;
export type WrittenRing = z.infer<ReturnType<typeof ringSchema>>;

/** A ring of a topology that was accepted. */
export interface Ring extends Omit<WrittenRing, 'name'> {
  name: string;
}

/** A topology that was accepted: rings in ascending order, each with a name. Plain JSON. */
export interface Topology extends Omit<WrittenTopology, 'rings'> {
  rings: Ring[];
}
