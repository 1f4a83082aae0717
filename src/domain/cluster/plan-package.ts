import type { Calendar } from '../../contract/calendar.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { ClusterRing, ClusterStatus, RefusalCode, RingForecast, WaitKind } from '../../contract/status.js';
import { covers, holding } from '../brake.js';
import { healthOf } from '../health/policy.js';
import { isNewer, isPackage, sameVersion } from '../package-version.js';
import { waitForBrake } from '../ring/view.js';
import { calendarOf, deployableCells, hasLane, type Ring, resolvePolicy, type Topology } from '../topology/index.js';
import { tooFarBehind } from '../upgrade-path.js';
import { blockOf } from './blocks.js';
import { cellTimeOf, rollTimeMs } from './forecast.js';
import { tooSlow } from './passage.js';
import { hasIt } from './stands.js';

/** What a package would do, before it is brought anywhere; by what the cluster shows, changing nothing. */

export interface PlannedCell {
  cell: string;
  ring: number;
  /**
   * `first`, `deploy`: a package goes there, with the first cells or after them. `quarantined`, `left-out`: automation leaves
   * it alone. `converge`: it is brought to what its ring runs. `keep`: it stays on what it runs until its ring comes to
   * something newer. `wait`: for the next package. `drop`: it is none of ours any more. `read`: it is only looked at.
   */
  does: 'first' | 'deploy' | 'quarantined' | 'left-out' | 'converge' | 'keep' | 'wait' | 'drop' | 'read';
  detail: string;
}

export interface Gate {
  kind: WaitKind | 'command';
  detail: string;
  next: string[];
}

export interface PlannedRing {
  ring: number;
  name: string;
  /** Why the package would not be let in. */
  refused: { code: RefusalCode; detail: string } | null;
  /** It runs the package, or a newer one, everywhere already. */
  there: boolean;
  /** What is waited for before the ring, as far as it is known now. */
  gates: Gate[];
  cells: PlannedCell[];
  maxParallel: number;
  /** How long its cells take, ms, by what cells took so far; null: nobody knows. */
  rollMs: number | null;
  bakeMs: number;
  /** From the end of the bake until PDM runs; null: it runs with the deployment, or on command. */
  graceMs: number | null;
  /** When it should have converged, were the package to graduate now; absent: it has, or that is not known. */
  expectedAt?: string;
  /** Why that is not known. */
  expectedAfter?: string;
  /** It is late with the package that it is getting now. */
  late?: true;
  /** What some of its cells would meet, where the cluster keeps only how many they are. */
  notes: string[];
}

export interface PackagePlan {
  version: string;
  lane: string | null;
  /** Why it would go nowhere, or not graduate. */
  refused: string[];
  rings: PlannedRing[];
  warnings: string[];
}

/** In the order in which the package would come to the rings. */
export function planPackage(
  status: ClusterStatus,
  topology: Topology,
  { version, lane }: { version: string; lane: string | null },
  now: number,
  forecasts: readonly RingForecast[] = [],
): PackagePlan {
  const ours = topology.rings.filter(({ deployedBy }) => deployedBy !== 'external').sort((a, b) => a.ring - b.ring);
  const at = { status, topology, version, lane, now, forecasts };
  const slow = tooSlow(topology, timeBy(status), lane, now);
  return {
    version,
    lane,
    refused: whyNowhere(at),
    rings: ours.map((ring) => planRing(ring, at)),
    warnings: slow === null ? [] : [slow],
  };
}

interface At {
  status: ClusterStatus;
  topology: Topology;
  version: string;
  lane: string | null;
  now: number;
  forecasts: readonly RingForecast[];
}

function whyNowhere({ status, topology, version, lane }: At): string[] {
  const block = blockOf(status.blocked, version);
  const newer = status.graduated.find((g) => isNewer(g.version, version));
  const isGraduated = status.graduated.some((g) => sameVersion(g.version, version));
  return [
    ...(block ? [`it is blocked by ${block.by}: ${block.reason}`] : []),
    ...(newer && !isGraduated ? [`it would not graduate: ${newer.version} has, which is newer`] : []),
    ...(hasLane(topology, lane) ? [] : [`the topology has no lane ${lane}`]),
  ];
}

function planRing(ring: Ring, at: At): PlannedRing {
  const { status, topology, version, now } = at;
  const isOuter = ring.ring > topology.perimeter;
  // Inside the perimeter there are no lanes: a package gets its own when it graduates.
  const lane = isOuter && hasLane(topology, at.lane) ? at.lane : null;
  const policy = resolvePolicy(topology, ring.ring, lane, now);
  const known = status.rings.find((r) => r.ring === ring.ring);
  const running = runningIn(known);
  const cells = cellsOf(ring, policy, running, at);
  const going = cells.filter(({ does }) => does === 'first' || does === 'deploy').length;
  const cellMs = timeBy(status)(ring.ring);
  return {
    ring: ring.ring,
    name: ring.name ?? `ring-${ring.ring}`,
    refused: whyRefused(known, version),
    there: known !== undefined && hasIt(known, version),
    gates: cells.length === 0 ? [] : gatesOf(ring, policy, known, { ...at, lane }),
    cells,
    maxParallel: policy.maxParallel,
    rollMs: cellMs === null ? null : rollTimeMs(going, cellMs, policy),
    bakeMs: policy.bakeTimeMs,
    graceMs: isOuter && policy.postDeployMigrations === 'separate' ? policy.gracePeriodMs : null,
    ...expectationOf(at.forecasts.find((f) => f.ring === ring.ring)),
    ...(known?.late ? { late: true as const } : {}),
    notes: notesOf(running, version),
  };
}

const expectationOf = ({ expectedAt, unknown }: Partial<RingForecast> = {}) => ({
  ...(expectedAt === undefined ? {} : { expectedAt }),
  ...(unknown === undefined ? {} : { expectedAfter: unknown }),
});

/** What a cell that runs a package would meet; null: it would be deployed. */
function whyNot(runs: string, version: string): Pick<PlannedCell, 'does' | 'detail'> | null {
  if (sameVersion(runs, version)) return { does: 'keep', detail: 'it runs the package' };
  if (isPackage(runs) && isNewer(runs, version)) return { does: 'keep', detail: `it runs ${runs}, a newer package` };
  const tooOld = tooFarBehind({ version: runs }, version);
  return tooOld === null ? null : { does: 'left-out', detail: tooOld };
}

/** What the cells of a ring run that are in automation, as far as the cluster names those that run something else. */
interface Running {
  /** By cell. */
  named: Map<string, string>;
  /** What is left of the others: version → how many of them run it. */
  others: [runs: string, cells: number][];
}

/** Which cell runs what the cluster keeps only of those that stand elsewhere than their ring: the others run the rest. */
function runningIn(ring: ClusterRing | undefined): Running {
  const named = new Map((ring?.exceptions ?? []).flatMap(({ cell, runs }) => (runs ? [[cell, runs]] : [])));
  const others = new Map(Object.entries(ring?.observed ?? {}));
  const take = (runs: string, cells: number) => others.set(runs, (others.get(runs) ?? 0) - cells);
  for (const [runs, cells] of Object.entries(ring?.observedOut ?? {})) take(runs, cells);
  for (const runs of named.values()) take(runs, 1);
  // What is named was seen at another time than what is counted: then neither says what the others run.
  const isOld = [...others.values()].some((cells) => cells < 0);
  if (isOld) return { named, others: Object.entries(ring?.observed ?? {}) };
  return { named, others: [...others].filter(([, cells]) => cells > 0) };
}

/** What a cell runs; null: nobody can tell. */
function runsOn({ named, others }: Running, cell: string): string | null {
  const [rest, ...more] = others;
  return named.get(cell) ?? (rest && more.length === 0 ? rest[0] : null);
}

function notesOf({ others }: Running, version: string): string[] {
  if (others.length < 2) return [];
  return others.flatMap(([runs, cells]) => {
    const met = whyNot(runs, version);
    return met ? [`${cells} cells: ${met.does}, ${met.detail}`] : [];
  });
}

function whyRefused(ring: ClusterRing | undefined, version: string): PlannedRing['refused'] {
  const { desired = null } = ring ?? {};
  if (desired === null || !isPackage(desired) || !isNewer(desired, version)) return null;
  return { code: 'older_package', detail: `ring ${ring?.ring} has, or is getting, ${desired}` };
}

function cellsOf(
  ring: Ring,
  { firstCells, mode }: RingPolicy,
  running: Running,
  { status, version, now }: At,
): PlannedCell[] {
  const { cells, leftOut } = deployableCells(ring, now, mode);
  const quarantined = new Map(status.quarantined.map((q) => [q.cell, q]));
  const out = leftOut.map(({ cell, state, reason }): PlannedCell => {
    return { cell: cell.id, ring: ring.ring, does: state === 'quarantined' ? state : 'left-out', detail: reason };
  });
  const byPerson = cells.flatMap(({ id }): PlannedCell[] => {
    const found = quarantined.get(id);
    return found ? [{ cell: id, ring: ring.ring, does: 'quarantined', detail: `by ${found.by}: ${found.reason}` }] : [];
  });
  const going = cells.filter(({ id }) => !quarantined.has(id));
  const known = status.rings.find((r) => r.ring === ring.ring);
  const said = new Map(known?.exceptions.map((e) => [e.cell, e]));
  let isToCome = 0;
  const deployed = going.map(({ id }): PlannedCell => {
    const runs = runsOn(running, id);
    const met = runs === null ? null : whyNot(runs, version);
    if (met) return { cell: id, ring: ring.ring, ...met };
    const exception = said.get(id);
    const detail = exception ? `${exception.state} now: ${exception.reason}` : '';
    isToCome += 1;
    return { cell: id, ring: ring.ring, does: isToCome <= firstCells ? 'first' : 'deploy', detail };
  });
  return [...deployed, ...byPerson, ...out];
}

function gatesOf(ring: Ring, policy: RingPolicy, known: ClusterRing | undefined, at: At): Gate[] {
  const { status, topology, version, now } = at;
  const isOuter = ring.ring > topology.perimeter;
  const brakes = holding(status.brakes, now).filter((b) => covers(b.scope, ring.ring, topology.perimeter));
  const calendar = calendarOf(topology, ring.ring, at.lane, now);
  const checks = policy.checks.map(({ name }) => name);
  const gates: (Gate | false)[] = [
    !isOuter && {
      kind: 'command',
      detail: 'inside the perimeter a ring moves on command',
      next: [`cellctl deploy --ring ${ring.ring} ${version}`],
    },
    isOuter &&
      !status.graduated.some((g) => sameVersion(g.version, version)) && {
        kind: 'graduation',
        detail: `${version} has not graduated`,
        next: [`cellctl graduate ${version}`],
      },
    ...ringTurn(known, version),
    ...brakes.map((brake): Gate => ({ ...waitForBrake(brake, ring.ring, version), kind: 'brake' })),
    !isOuter &&
      status.autoDeploy.state === 'paused' &&
      !status.autoDeploy.override && {
        kind: 'drift',
        detail: `auto-deploy has paused itself: ${status.autoDeploy.reason ?? 'rings are behind'}`,
        next: [`cellctl deploy --ring ${ring.ring} ${version} --fixes "…"`, 'cellctl resume --reason "…"'],
      },
    policy.approval === 'required' && {
      kind: 'approval',
      detail: `ring ${ring.ring} needs a person's approval`,
      next: [`cellctl approve --ring ${ring.ring} ${version}`],
    },
    ...(calendar ? deployWindows(calendar) : []),
    ...(calendar?.freezes ?? []).map((f): Gate => {
      return { kind: 'freeze', detail: `${f.from} to ${f.to}${f.reason ? `: ${f.reason}` : ''}`, next: [] };
    }),
    healthOf(topology, ring.ring) !== null && {
      kind: 'health',
      detail: 'it, and the rings before it, must be healthy',
      next: [`cellctl health --ring ${ring.ring}`],
    },
    checks.length > 0 && { kind: 'check', detail: `outside checks must agree: ${checks.join(', ')}`, next: [] },
  ];
  return gates.filter((gate): gate is Gate => gate !== false);
}

const deployWindows = ({ windows, alsoWithin = [] }: Calendar): Gate[] =>
  [windows, alsoWithin].flatMap((list): Gate[] => {
    const detail = list.map((w) => `${w.days.join(',')} ${w.from}–${w.to} ${w.timezone}`).join('; ');
    return detail === '' ? [] : [{ kind: 'deploy-window', detail, next: [] }];
  });

function ringTurn(known: ClusterRing | undefined, version: string): Gate[] {
  const { rollout, ring, state, desired } = known ?? {};
  if (rollout === undefined || rollout.endsWith(version)) return [];
  const detail = `ring ${ring} is ${state} with ${desired}`;
  return [{ kind: 'ring-turn', detail, next: ['cellctl status'] }];
}

/** How long a cell of each ring takes, ms, by what cells took so far; null: nobody knows. */
export const timeBy = ({ rings }: ClusterStatus) => {
  const times = rings.map(({ ring, cellMs }) => [ring, cellMs === undefined ? {} : { cellTimesMs: [cellMs] }] as const);
  const byRing = Object.fromEntries(times);
  return (ring: number): number | null => cellTimeOf(byRing, ring);
};
