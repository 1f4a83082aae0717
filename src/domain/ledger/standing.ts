import type { EndedStanding, LedgerEntry, PackageBrakesStanding, Standing } from '../../contract/ledger.js';
import type { BrakeStatus, GraduatedPackage, RolloutState } from '../../contract/status.js';
import { isBlockedBy, noteFix, withBlock, withoutBlock } from '../cluster/blocks.js';
import { isNewer, isPackage } from '../package-version.js';

/** Entries that say what stands, by what they are about. `readStanding` asks for these alone. */
export const OF_PEOPLE = [
  ...['engageBrake', 'releaseBrake', 'brakeExpired'],
  ...['blockVersion', 'unblockVersion', 'quarantineCell', 'readmitCell', 'quarantineExpired'],
];
export const OF_PACKAGES = ['graduated', 'opened', 'ended', 'systemic', 'systemicOver'];

/** The newest of each; more ended ones than a cluster keeps: before it has looked it cannot tell which of them run somewhere. */
const KEPT = { graduated: 100, ended: 500, braked: 20 };

/** Of a cluster that begins without memory: each look of its own engages it anew. */
const NEVER_BACK = 'cold-start';

/** Folds entries, oldest first, into what stands at `now` (epoch ms). */
export function standingOf(entries: readonly LedgerEntry[], now: number): Standing {
  const brakes: Brakes = new Map();
  const ofPackages = new Map<string, Brakes>();
  let blocked: Standing['blocked'] = [];
  const quarantined = new Map<string, Standing['quarantined'][number]>();
  const packages = new Packages();
  for (const entry of entries) {
    takeBrake(brakes, entry);
    takePackageBrake(ofPackages, entry);
    blocked = blockedAfter(blocked, entry);
    takeQuarantine(quarantined, entry);
    packages.take(entry);
  }
  const holds = ({ expiresAt }: { expiresAt?: string }) => expiresAt === undefined || Date.parse(expiresAt) > now;
  return {
    brakes: [...brakes.values()].filter(holds),
    ...packageBrakesOf(ofPackages, holds),
    blocked,
    quarantined: [...quarantined.values()].filter(holds),
    ...packages.standing(blocked),
  };
}

/** How much stands, in words. */
export function summaryOf({ brakes, packageBrakes = [], blocked, quarantined, graduated }: Standing): string {
  const ofPackages = packageBrakes.flatMap((p) => p.brakes).length;
  const counts: [number, string][] = [
    [brakes.length, 'brakes'],
    ...(ofPackages > 0 ? [[ofPackages, 'brakes of packages'] as [number, string]] : []),
    [blocked.length, 'blocked packages'],
    [quarantined.length, 'quarantined cells'],
    [graduated.length, 'graduated packages'],
  ];
  return counts.map(([count, what]) => `${count} ${what}`).join(', ');
}

/** Whether a person's word stands that a cluster without memory would go against. */
export const hasOrders = ({ brakes, packageBrakes = [], blocked, quarantined }: Standing): boolean =>
  brakes.length + packageBrakes.length + blocked.length + quarantined.length > 0;

const text = (value: unknown): string | undefined => (typeof value === 'string' && value ? value : undefined);

/** By name. */
type Brakes = Map<string, BrakeStatus>;

function takeBrake(brakes: Brakes, entry: LedgerEntry): void {
  if (entry.version === undefined && entry.facts?.scope !== 'package') noteBrake(brakes, entry);
}

/** A package's own brakes are its rollout's, and end with it. */
function takePackageBrake(ofPackages: Map<string, Brakes>, entry: LedgerEntry): void {
  const { act, version } = entry;
  if (version === undefined || !isPackage(version)) return;
  if (act === 'ended') ofPackages.delete(version);
  const brakes: Brakes = ofPackages.get(version) ?? new Map();
  noteBrake(brakes, entry);
  if (brakes.size > 0) ofPackages.set(version, brakes);
  else ofPackages.delete(version);
}

function packageBrakesOf(
  ofPackages: Map<string, Brakes>,
  holds: (brake: BrakeStatus) => boolean,
): { packageBrakes?: PackageBrakesStanding[] } {
  const found = [...ofPackages]
    .map(([version, brakes]) => ({ version, brakes: [...brakes.values()].filter(holds) }))
    .filter(({ brakes }) => brakes.length > 0)
    .sort((a, b) => (isNewer(a.version, b.version) ? 1 : -1))
    .slice(-KEPT.braked);
  return found.length > 0 ? { packageBrakes: found } : {};
}

function noteBrake(brakes: Brakes, { act, by, at, reason = '', url, facts = {} }: LedgerEntry): void {
  const brakeId = text(facts.brakeId);
  if (brakeId === undefined) return;
  if (act === 'releaseBrake' || act === 'brakeExpired') brakes.delete(brakeId);
  if (act !== 'engageBrake' || brakeId === NEVER_BACK) return;
  const { scope, mode } = facts as Pick<BrakeStatus, 'scope' | 'mode'>;
  const [since, expiresAt] = [text(facts.since) ?? at, text(facts.expiresAt)];
  // The one engaged last stands last.
  brakes.delete(brakeId);
  const more = { ...(expiresAt ? { expiresAt } : {}), ...(url ? { url } : {}) };
  brakes.set(brakeId, { brakeId, scope, mode, by, reason, since, ...more });
}

/** By the package, however long its shas were written. */
function blockedAfter(blocked: Standing['blocked'], entry: LedgerEntry): Standing['blocked'] {
  const { act, version } = entry;
  if (version === undefined || !isPackage(version)) return blocked;
  if (act === 'unblockVersion') return withoutBlock(blocked, version);
  return act === 'blockVersion' ? withBlock(blocked, blockOfEntry(entry, version)) : blocked;
}

function blockOfEntry(
  { by, at, reason = '', url, facts = {} }: LedgerEntry,
  version: string,
): Standing['blocked'][number] {
  const fixedIn = text(facts.fixedIn) ?? '';
  const more = { ...(isPackage(fixedIn) ? { fixedIn } : {}), ...(url ? { url } : {}) };
  return { version, by, reason, since: text(facts.since) ?? at, ...more };
}

function takeQuarantine(quarantined: Map<string, Standing['quarantined'][number]>, entry: LedgerEntry): void {
  const { act, by, at: since, cell, reason = '', facts = {} } = entry;
  if (cell === undefined) return;
  if (act === 'readmitCell' || act === 'quarantineExpired') quarantined.delete(cell);
  // What the topology itself says is not remembered: it is asked.
  if (act !== 'quarantineCell' || facts.inTopology === true) return;
  const expiresAt = text(facts.expiresAt);
  quarantined.set(cell, { cell, by, reason, since, ...(expiresAt ? { expiresAt } : {}) });
}

class Packages {
  private readonly graduated = new Map<string, GraduatedPackage>();
  private readonly ended = new Map<string, EndedStanding>();
  systemic: Standing['systemic'] = null;

  take(entry: LedgerEntry): void {
    const { act, version, ring } = entry;
    if (version === undefined || !isPackage(version)) return;
    if (act === 'graduated') this.graduate(entry, version);
    if (act === 'opened') this.ended.delete(version);
    if (act === 'ended') this.end(entry, version);
    if (act === 'systemic' && ring !== undefined) this.stop(entry, version, ring);
    if (act === 'systemicOver') this.systemic = null;
    if (act === 'blockVersion' && this.systemic) noteFix(this, blockOfEntry(entry, version));
  }

  private stop({ at, facts = {} }: LedgerEntry, version: string, ring: number): void {
    const fixedIn = text(facts.fixedIn) ?? '';
    this.systemic = {
      ...{ version, ring, sinceMs: Date.parse(at) },
      ...(facts.why === 'rolled-back' ? { why: facts.why } : {}),
      ...(isPackage(fixedIn) ? { fixedIn } : {}),
    };
  }

  private graduate({ by: decidedBy, at, facts = {} }: LedgerEntry, version: string): void {
    const by = text(facts.by) ?? decidedBy;
    if (this.graduated.has(version)) return;
    const graduatedAt = text(facts.graduatedAt) ?? at;
    this.graduated.set(version, { version, graduatedAt, by, blocked: false, convergedAt: null });
  }

  private end({ at, outcome, facts = {} }: LedgerEntry, version: string): void {
    const state = (text(outcome) ?? 'aborted') as RolloutState;
    const of = (name: string) => text(facts[name]) ?? null;
    const [supersededBy, chartVersion, runsWith, run] = [
      of('supersededBy'),
      of('chartVersion'),
      of('runsWith'),
      of('run'),
    ];
    this.ended.set(version, { version, state, supersededBy, chartVersion, runsWith, at, run: run ?? '' });
    if (state === 'aborted' || state === 'rolled-back') this.graduated.delete(version);
    if (state === 'rolled-back' && this.systemic?.version === version) this.systemic.why = 'rolled-back';
    const graduated = this.graduated.get(version);
    if (graduated && state === 'converged') graduated.convergedAt ??= at;
  }

  standing(blocked: Standing['blocked']): Pick<Standing, 'graduated' | 'ended' | 'systemic'> {
    const graduated = [...this.graduated.values()].slice(-KEPT.graduated);
    for (const g of graduated) g.blocked = blocked.some((b) => isBlockedBy(b, g.version));
    return { graduated, ended: [...this.ended.values()].slice(-KEPT.ended), systemic: this.systemic };
  }
}
