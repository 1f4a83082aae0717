import type { Topology, WrittenPolicy } from '../../src/domain/topology/index.js';
import type { SimulatedTime } from './time.js';

/** Cells of the outer rings at the beginning: 60 in 4 rings, each some times larger than the one before. */
export const OUTER: Readonly<Record<number, number>> = { 2: 3, 3: 9, 4: 18, 5: 30 };
export const OUTER_RINGS = Object.keys(OUTER).map(Number);
const OUTERMOST = Math.max(...OUTER_RINGS);

/** Cells that are built during the year. */
const RESERVE = 30;

/**
 * What cannot be scaled: so many real seconds the machine needs for it, workers that are killed and AMP's lost answers
 * included. A second is the shortest time that a topology can say.
 */
const AT_LEAST_S = {
  bakeTime: 1,
  gracePeriod: 1,
  convergeWithin: 20,
  deployTimeout: 15,
  cancelTimeout: 5,
  verifyTimeout: 5,
  pollInterval: 1,
  graduationTimeout: 30,
  graduationExpectedEvery: 30,
  reconcileEvery: 8,
  lookEvery: 5,
} as const;

export interface Freeze {
  from: string;
  to: string;
  reason: string;
}

/** The cluster as its topology file has it at some time of the year. */
export interface Town {
  /** Names of cells by outer ring. */
  rings: Record<number, string[]>;
  freezes: Freeze[];
}

export const firstTown = (): Town => ({
  rings: Object.fromEntries(
    OUTER_RINGS.map((ring) => [ring, Array.from({ length: OUTER[ring] ?? 0 }, (_, i) => `c${ring}-${i + 1}`)]),
  ),
  freezes: [],
});

/** Cells that are not in the cluster yet, in the order in which they come. */
export const RESERVES = Array.from({ length: RESERVE }, (_, i) => `new-${i + 1}`);

/** AMP knows the cells that are yet to come, too. */
export function simulatedCells({ rings }: Town): Pick<Topology, 'rings'> {
  const cells = [...Object.values(rings).flat(), ...RESERVES, 'qa'].map(cell);
  return { rings: [{ ring: OUTERMOST, name: 'all', cells }] };
}

export function topologyOf(town: Town, time: SimulatedTime): Topology {
  const h = (field: keyof typeof AT_LEAST_S, hours: number) => time.duration(hours, AT_LEAST_S[field]);
  const policy: WrittenPolicy = {
    bakeTime: h('bakeTime', 1),
    gracePeriod: h('gracePeriod', 0.5),
    convergeWithin: h('convergeWithin', 4),
    deployTimeout: h('deployTimeout', 2),
    cancelTimeout: h('cancelTimeout', 0.25),
    verifyTimeout: h('verifyTimeout', 1 / 30),
    pollInterval: h('pollInterval', 5 / 3_600),
    maxParallel: '50%',
    failureBudget: '12%',
    freezes: town.freezes,
  };
  const qa: WrittenPolicy = {
    onFailure: 'soft',
    smokeTests: true,
    bakeTime: '0s',
    postDeployMigrations: 'with-deploy',
    downtimeRollback: 'allowed',
    deployToUnhealthy: true,
  };
  const first: WrittenPolicy = { smokeTests: true, failureBudget: 0, maxParallel: 3 };
  return {
    cluster: 'year',
    perimeter: 1,
    policy,
    coordination: {
      // A day is too short for every ring to take every package: a ring may be some of them behind.
      maxDrift: 6,
      graduationTimeout: h('graduationTimeout', 7 * 24),
      graduationExpectedEvery: h('graduationExpectedEvery', 4 * 24),
      reconcileEvery: h('reconcileEvery', 0.25),
      lookEvery: h('lookEvery', 1 / 60),
    },
    lanes: { urgent: { bakeTime: '0s', gracePeriod: '0s', deployToUnhealthy: true } },
    rings: [
      { ring: 0, name: 'qa', policy: qa, cells: [cell('qa')] },
      { ring: 1, name: 'main-stage', deployedBy: 'external', cells: [{ id: 'legacy', observe: true }] },
      ...OUTER_RINGS.map((ring) => ({
        ring,
        name: `ring-${ring}`,
        ...(ring === 2 ? { policy: first } : {}),
        cells: (town.rings[ring] ?? []).map(cell),
      })),
    ],
  };
}

const cell = (id: string) => ({ id, tenant: `t-${id}`, join: 'auto' as const });
