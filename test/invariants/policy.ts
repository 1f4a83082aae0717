/**
 * Rings, cells and the policy in force, read anew from the contract: defaults, then the topology's policy, then the
 * ring's, then the times and sizes of the lane's; gates hold in every lane. Where a run saw several topologies, nobody
 * outside knows which one a pass had frozen: then the mildest of them counts.
 */

export interface Policy {
  maxParallel: number | string;
  failureBudget: number | string;
  onFailure: string;
  autoRollback: string;
  downtimeRollback: string;
  bakeTime: string;
  gracePeriod: string;
  postDeployMigrations: string;
  migrateWhen: string;
  mode: string;
  pollInterval: string;
  deployWindows: Window[];
  /** Windows of the lane, of which one must be open too. */
  laneWindows: Window[];
  freezes: { from: string; to: string }[];
}

export interface Window {
  days: string[];
  from: string;
  to: string;
  timezone: string;
}

const DEFAULTS: Policy = {
  maxParallel: 25,
  failureBudget: 0,
  onFailure: 'block',
  autoRollback: 'cell',
  downtimeRollback: 'never',
  bakeTime: '1h',
  gracePeriod: '30m',
  postDeployMigrations: 'separate',
  migrateWhen: 'grace',
  mode: 'act',
  pollInterval: '5s',
  deployWindows: [],
  laneWindows: [],
  freezes: [],
};

export interface Cell {
  id: string;
  tenant?: string;
  observe?: boolean;
  pinned?: unknown;
  quarantined?: unknown;
}

export interface Ring {
  ring: number;
  deployedBy?: string;
  policy?: Partial<Policy>;
  cells?: Cell[];
}

export interface Topology {
  cluster: string;
  perimeter: number;
  policy?: Partial<Policy>;
  lanes?: Record<string, Partial<Policy>>;
  rings: Ring[];
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90s`, `30m`, `1h` or `2d`. */
export function durationMs(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text);
  if (!match) throw new RangeError(`not a duration: ${text}`);
  return Number(match[1]) * (UNIT_MS[match[2] as string] as number);
}

/** A number of cells, or a share rounded down. */
function roundedDown(amount: number | string, of: number): number {
  if (typeof amount === 'number') return amount;
  return Math.floor((Number.parseFloat(amount) * of) / 100 + 1e-9);
}

export function policyOf(topology: Topology, ring: Ring, lane: string | null): Policy {
  const base: Policy = { ...DEFAULTS, ...topology.policy, ...ring.policy };
  const ofLane: Partial<Policy> = lane === null ? {} : (topology.lanes?.[lane] ?? {});
  return {
    ...base,
    maxParallel: ofLane.maxParallel ?? base.maxParallel,
    failureBudget: ofLane.failureBudget ?? base.failureBudget,
    bakeTime: ofLane.bakeTime ?? base.bakeTime,
    gracePeriod: ofLane.gracePeriod ?? base.gracePeriod,
    pollInterval: ofLane.pollInterval ?? base.pollInterval,
    migrateWhen: [base, ofLane].some((p) => p.migrateWhen === 'everywhere') ? 'everywhere' : base.migrateWhen,
    mode: [base, ofLane].some((p) => p.mode === 'observe') ? 'observe' : base.mode,
    laneWindows: ofLane.deployWindows ?? [],
    freezes: base.freezes.concat(ofLane.freezes ?? []),
  };
}

/** The cells of a ring that a package goes to: not observed, pinned or quarantined ones, none of an external ring. */
export function deployable(topology: Topology, ring: Ring, lane: string | null): string[] {
  if (ring.deployedBy === 'external' || policyOf(topology, ring, lane).mode === 'observe') return [];
  const cells = (ring.cells ?? []).filter((c) => c.tenant && !c.observe && !c.pinned && !c.quarantined);
  return cells.map((c) => c.id);
}

/** One ring as the mildest of all topologies has it. */
export interface RingRules {
  ring: number;
  /** Cells that every topology has there. */
  cells: string[];
  /** Cells that only some have there: nobody waits for them, and where they are on a package, somebody is. */
  others: string[];
  failureBudget: number;
  soft: boolean;
  bakeMs: number;
  graceMs: number;
  pollMs: number;
  /** PDM is a job of its own, wherever one looks. */
  separate: boolean;
  everywhere: boolean;
  mayStayBroken: boolean;
  mayTakeDown: boolean;
}

/** What holds in a ring for a package of a lane; null where a topology does not have the ring. */
export function ringRules(topologies: Topology[], ring: number, lane: string | null): RingRules | null {
  const seen = topologies.flatMap((t) => {
    const found = t.rings.find((r) => r.ring === ring);
    return found ? [{ policy: policyOf(t, found, lane), cells: deployable(t, found, lane) }] : [];
  });
  if (seen.length < topologies.length || !seen[0]) return null;
  const every = <T>(read: (s: (typeof seen)[number]) => T): T[] => seen.map(read);
  const cells = seen[0].cells.filter((id) => seen.every((s) => s.cells.includes(id)));
  const anywhere = new Set(seen.flatMap((s) => s.cells));
  return {
    ring,
    cells,
    others: [...anywhere].filter((id) => !cells.includes(id)),
    failureBudget: Math.max(...every(({ policy, cells }) => roundedDown(policy.failureBudget, cells.length))),
    soft: every((s) => s.policy.onFailure).includes('soft'),
    bakeMs: Math.min(...every((s) => durationMs(s.policy.bakeTime))),
    graceMs: Math.min(...every((s) => durationMs(s.policy.gracePeriod))),
    pollMs: Math.max(...every((s) => durationMs(s.policy.pollInterval))),
    separate: every((s) => s.policy.postDeployMigrations).every((p) => p === 'separate'),
    everywhere: every((s) => s.policy.migrateWhen).every((w) => w === 'everywhere'),
    mayStayBroken: every((s) => s.policy.autoRollback).includes('never'),
    mayTakeDown: every((s) => s.policy.downtimeRollback).includes('allowed'),
  };
}
