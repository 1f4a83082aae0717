import fc from 'fast-check';
import { cell, fleet, type Policy, QUICK, V1, V2, V3 } from '../support/fleet.js';

/** What one run is made of: plain data, so that it can be printed, replayed and made smaller. */
export interface Plan {
  rings: RingPlan[];
  /** How long AMP's jobs take, in ms. */
  jobMs: number;
  faults: FaultPlan[];
  acts: ActPlan[];
  /**
   * When the worker is killed and started again, in ms from the beginning, or later where it is not up yet. None: it
   * lives in the process of the test, which costs far less.
   */
  kills: number[];
  /** What is done in the end with rollouts that wait for a person. */
  ending: 'retry' | 'abort' | 'abort-rollback';
}

export interface RingPlan {
  cells: number;
  policy: Policy;
}

/** A fault from `atMs` on. Cells and packages are picked by a number, so that a smaller topology still has them. */
export interface FaultPlan {
  atMs: number;
  kind: string;
  cell: number;
  more: Record<string, unknown>;
  /** Only jobs of this package, where the kind knows one. */
  pack?: number | undefined;
}

export interface ActPlan {
  atMs: number;
  act: string;
  pack: number;
  ring: number;
  cell: number;
  more: Record<string, unknown>;
}

/** As much of a topology as its changes read. */
export interface Topology extends Record<string, unknown> {
  rings: ({ ring: number; cells: ({ id: string } & Record<string, unknown>)[] } & Record<string, unknown>)[];
}

export const PACKAGES = [V1, V2, V3];

/** The first outer ring of every plan; others follow, with a gap after the second. */
const ringNumber = (index: number): number => (index < 2 ? index + 2 : index + 3);
export const ringsOf = (plan: Plan): number[] => plan.rings.map((_, i) => ringNumber(i));

/** Cells that AMP has and no ring: they may join. */
export const SPARES = ['s-1', 's-2'];

/** Cells of outer rings at first, by ring. */
export const cellsOfRing = (plan: Plan, index: number): string[] =>
  Array.from({ length: plan.rings[index]?.cells ?? 0 }, (_, c) => `c${ringNumber(index)}-${c + 1}`);

/** Cells of outer rings, in order, then the QA cell, and those that may join. */
export const cellsOf = (plan: Plan): string[] => [
  ...plan.rings.flatMap((_, i) => cellsOfRing(plan, i)),
  'qa',
  ...SPARES,
];

/** While a worker is killed and started again nobody asks a cell: no healthy one is to miss its verification for that. */
const PATIENT = { ...QUICK, verifyTimeout: '20s' };

export function topologyOf(plan: Plan): Topology {
  const sizes = Object.fromEntries(plan.rings.map(({ cells }, i) => [ringNumber(i), cells]));
  const policies = Object.fromEntries(plan.rings.map(({ policy }, i) => [ringNumber(i), policy]));
  return fleet(sizes, policies, {
    lanes: { urgent: { bakeTime: '0s', gracePeriod: '0s' } },
    ...(plan.kills.length > 0 ? { policy: PATIENT } : {}),
  }) as Topology;
}

/** As AMP sees it: with the cells that are in no ring yet. */
export function everyCellOf(plan: Plan): Topology {
  const topology = topologyOf(plan);
  return { ...topology, rings: [...topology.rings, { ring: 99, cells: SPARES.map(cell) }] };
}

export const pick = <T>(from: readonly T[], number: number): T => from[number % from.length] as T;
export const cellAt = (plan: Plan, number: number): string => pick(cellsOf(plan), number);

// ── how plans come about; what stands first is what a failing plan shrinks to ──

/** Mostly the first, now and then one of the others. */
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...others) });

const policy: fc.Arbitrary<Policy> = fc.record({
  maxParallel: fc.constantFrom<number | string>(1, 2, 3, '50%'),
  firstCells: mostly(1, 2),
  failureBudget: mostly<number | string>(0, 1, '50%'),
  strictBudget: mostly(false, true),
  bakeTime: fc.constantFrom('0s', '1s'),
  gracePeriod: fc.constantFrom('0s', '1s'),
  postDeployMigrations: mostly('separate', 'with-deploy'),
  autoRollback: mostly('cell', 'ring', 'never'),
  onFailure: mostly('block', 'soft'),
  downtimeRollback: mostly('never', 'allowed'),
  migrateWhen: mostly('grace', 'everywhere'),
  approval: mostly('none', 'required'),
  deployToUnhealthy: mostly(false, true),
  scope: mostly('application', 'full'),
});

/** Mostly small: what goes wrong between cells and rings needs few of them, and every cell costs time. */
const cells = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 4, max: 6 }) },
);
const ring = fc.record({ cells, policy });
const rings = fc.oneof(
  { weight: 4, arbitrary: fc.array(ring, { minLength: 1, maxLength: 2 }) },
  { weight: 1, arbitrary: fc.array(ring, { minLength: 3, maxLength: 3 }) },
);

/** While the acts go on. */
const moment = fc.nat(6_000);
const number = fc.nat(60);
/** Mostly the first: it has the most to do. */
const pack = mostly(0, 1, 2);

/** Mostly for the first package, or for whichever comes. */
const struck = fc.option(mostly(0, 1, 2), { nil: undefined, freq: 2 });
const of = (weight: number, kind: string, more: fc.Arbitrary<Record<string, unknown>>, about = struck) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constant(kind), more, pack: about }),
});
const any = fc.constant(undefined);
const once = fc.constant({ times: 1 });

const faultKinds: fc.Arbitrary<Pick<FaultPlan, 'kind' | 'more' | 'pack'>> = fc.oneof(
  of(
    6,
    'job-fails',
    fc.record({
      stage: fc.constantFrom('install', 'queued', 'finish'),
      switched: fc.boolean(),
      jobKind: fc.constant('configure'),
      times: mostly(1, 2),
    }),
  ),
  of(3, 'pdm-fails', once),
  of(3, 'rollback-fails', fc.record({ times: fc.constant(1), switched: fc.boolean() }), any),
  of(4, 'not-ready-after', fc.record({ delayMs: fc.constantFrom(0, 700, 2_500) }), mostly(0, 1, 2)),
  of(2, 'slow', fc.record({ factor: fc.constantFrom(4, 10) })),
  of(1, 'tenant-busy', fc.record({ forMs: fc.constantFrom(200, 1_500) }), any),
  of(
    1,
    'answer-lost',
    fc.record({
      share: fc.constantFrom(0.5, 1),
      times: fc.constantFrom(1, 3),
      method: fc.constantFrom('POST', 'GET'),
    }),
    any,
  ),
  of(
    1,
    'error-share',
    fc.record({
      share: fc.constantFrom(0.3, 0.6),
      status: fc.constantFrom(500, 503, 429),
      processed: fc.boolean(),
      times: fc.constantFrom(2, 5),
    }),
    any,
  ),
);

const faults = fc.array(
  fc
    .record({ fault: faultKinds, atMs: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, moment), cell: number })
    .map(({ fault, ...words }) => ({ ...fault, ...words })),
  { maxLength: 5, size: 'max' },
);

const mode = fc.constantFrom('finish-cells', 'cancel-cells', 'finish-ring');
const brakeId = fc.constantFrom('brake-a', 'brake-b');
const where = fc.constantFrom('outer', 'cluster', 'ring', 'package');
const expires = fc.option(fc.integer({ min: 200, max: 2_500 }), { nil: undefined });

const actKinds: fc.Arbitrary<Pick<ActPlan, 'act' | 'more'>> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ act: fc.constant('deployRing'), more: fc.constant({}) }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('engageBrake'), more: fc.record({ where, mode, brakeId, expires }) }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('releaseBrake'), more: fc.record({ where, brakeId }) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('retryRing'), more: fc.constant({}) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('skipCell'), more: fc.constant({}) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('abort'), more: fc.record({ rollback: fc.boolean() }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('approveRing'), more: fc.constant({}) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('quarantineCell'), more: fc.record({ expires }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('readmitCell'), more: fc.constant({}) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('blockVersion'), more: fc.record({ isFixed: fc.boolean() }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('unblockVersion'), more: fc.constant({}) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('override'),
      more: fc.record({ wait: fc.constantFrom('bake', 'grace-period') }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('rollback'),
      more: fc.record({
        where: fc.constantFrom('everywhere', 'everywhere', 'ring', 'qa'),
        block: mostly(true, false),
        downtime: mostly(false, true),
        toBlocked: mostly(false, true),
      }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('applyTopology'),
      more: fc.record({
        change: fc.constantFrom('join', 'join', 'leave', 'move'),
        auto: fc.boolean(),
        allowRemoval: mostly(true, false),
      }),
    }),
  },
);

const acts = fc.array(fc.record({ kind: actKinds, atMs: moment, pack, ring: fc.nat(2), cell: number }), {
  maxLength: 8,
  size: 'max',
});

const graduation = fc.record({
  atMs: moment,
  lane: mostly<string | undefined>(undefined, 'urgent'),
  preempt: mostly(false, true),
});
const graduations = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(graduation) },
  { weight: 2, arbitrary: fc.tuple(graduation, graduation) },
  { weight: 1, arbitrary: fc.tuple(graduation, graduation, graduation) },
);

/** A process costs seconds to start: most runs do without. */
const kills = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(moment, { minLength: 1, maxLength: 2 }) },
);

const drawn: fc.Arbitrary<Plan> = fc
  .record({
    rings,
    jobMs: fc.constantFrom(300, 50, 0),
    faults,
    acts,
    graduations,
    kills,
    ending: fc.constantFrom<Plan['ending']>('retry', 'abort', 'abort-rollback'),
  })
  .map(({ graduations: lanes, acts: others, kills: moments, ...rest }) => ({
    ...rest,
    kills: moments.toSorted((a, b) => a - b),
    acts: [
      // The first one at once, or there is nothing to see before it.
      ...lanes.map(({ atMs, lane, preempt }, i) => ({
        atMs: i === 0 ? 0 : atMs,
        act: 'graduate',
        pack: i,
        ring: 0,
        cell: 0,
        more: { ...(lane === undefined ? {} : { lane }), ...(preempt ? { preempt } : {}) },
      })),
      ...others.map(({ kind, ...words }) => ({ ...kind, ...words })),
    ].sort((a, b) => a.atMs - b.atMs),
  }));

/** Without the bias towards what is empty, small or extreme: a run is too dear for a plan in which nothing happens. */
export const anyPlan: fc.Arbitrary<Plan> = fc.noBias(drawn);
