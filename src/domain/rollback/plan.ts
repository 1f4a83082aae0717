import type { CellLook, RingReturn, SurveyOrder } from '../../contract/activities.js';
import type { BlockedRange, CellException } from '../../contract/status.js';
import { isBlockedBy, rangeText } from '../cluster/blocks.js';
import { sameVersion } from '../package-version.js';
import { returnsWithoutDowntime } from '../return-rule.js';
import type { Ring } from '../topology/index.js';

/** What taking a package back would come to: the same rules by which each cell's own run decides. */

const NAMED_AT_MOST = 100;

export interface RingFacts {
  ring: number;
  name: string;
  /** The ring's policy lets cells be taken down for it. */
  downtimeAllowed: boolean;
}

/** By AMP's word on every cell of a ring. */
export function planRing(
  { ring, name, downtimeAllowed }: RingFacts,
  looks: readonly CellLook[],
  order: SurveyOrder,
  blocked: readonly BlockedRange[],
): RingReturn {
  const none = { targets: {}, stays: [], staysTotal: 0, underWay: 0, unknown: 0 };
  const plan: RingReturn = { ring, name, cells: 0, on: [], ...none };
  for (const look of looks) {
    const isOnIt = look.tenant === 'known' && sameVersion(look.facts.version, order.version);
    if (look.tenant !== 'known' || look.facts.version === null) plan.unknown += 1;
    else if (!isOnIt && look.activeJob?.ours) plan.underWay += 1;
    if (!isOnIt) continue;
    plan.cells += 1;
    if (plan.on.length < NAMED_AT_MOST) plan.on.push(look.cell);
    const mayTakeDown = downtimeAllowed || order.allowDowntime.includes(look.cell);
    const verdict = returnOf(look, order, { mayTakeDown, blocked });
    if ('to' in verdict) plan.targets[verdict.to] = (plan.targets[verdict.to] ?? 0) + 1;
    else stay(plan, verdict.stays);
  }
  return plan;
}

function stay(plan: RingReturn, exception: CellException): void {
  plan.staysTotal += 1;
  if (plan.stays.length < NAMED_AT_MOST) plan.stays.push(exception);
}

interface Leave {
  mayTakeDown: boolean;
  blocked: readonly BlockedRange[];
}

/** Where one cell that runs the package would go back to, or why it would stay. */
export function returnOf(
  { cell, facts }: Pick<CellLook, 'cell' | 'facts'>,
  { version, toBlocked }: Pick<SurveyOrder, 'version' | 'toBlocked'>,
  { mayTakeDown, blocked }: Leave,
): { to: string } | { stays: CellException } {
  const { previousVersion: to, migratedVersion } = facts;
  const stays = (reason: string, more: Partial<CellException> = {}) => ({
    stays: { cell, state: 'failed' as const, reason, ...more },
  });
  if (to === null || sameVersion(to, version)) {
    return stays(`what it ran before ${version} is unknown: AMP remembers ${to ?? 'nothing'}`);
  }
  const block = toBlocked ? undefined : blocked.find((range) => isBlockedBy(range, to));
  if (block) return stays(`it would go back to ${to}, which is blocked: ${rangeText(block)}`);
  if (mayTakeDown || returnsWithoutDowntime(migratedVersion, to)) return { to };
  const reason = `rollback needs downtime: migrated_version is ${migratedVersion ?? 'unknown'}, it came from ${to}`;
  return stays(reason, { needsDowntime: true });
}

/** Whether there is anything in a ring to take back, or to wait for. */
export const concerns = ({ cells, underWay }: Pick<RingReturn, 'cells' | 'underWay'>): boolean => cells + underWay > 0;

const UNKNOWN_NAMED = 20;

/** Names that none of these rings has, as a slip of the pen makes them, in words; null: there are none. */
export function unknownTo(rings: readonly Pick<Ring, 'cells'>[], names: readonly string[]): string | null {
  const known = new Set(rings.flatMap(({ cells }) => cells.map(({ id }) => id)));
  const unknown = [...new Set(names)].filter((name) => !known.has(name));
  const more = unknown.length - UNKNOWN_NAMED;
  const named = unknown.slice(0, UNKNOWN_NAMED).join(', ');
  return named === '' ? null : `${named}${more > 0 ? ` and ${more} more` : ''}`;
}
