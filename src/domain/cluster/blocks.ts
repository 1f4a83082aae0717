import type { BlockedRange, BlockedVersion, BrakeStatus, WaitingFor } from '../../contract/status.js';
import { comparePackages, isNewer, isPackage } from '../package-version.js';
import type { ClusterState } from './state.js';

/**
 * Blocked packages. Packages are cumulative: a block covers every one from its own up to, not including, the one that it
 * is fixed in; without that one every later one. A plain list, newest last; nothing here changes what it is given.
 */

/** Every pass is told all of them at every change. */
export const MAX_BLOCKS = 50;

/** Whether a block covers a package. What is no package is covered by none. */
export function isBlockedBy({ version, fixedIn }: BlockedRange, candidate: string): boolean {
  if (!isPackage(candidate) || comparePackages(candidate, version) < 0) return false;
  return fixedIn === undefined || comparePackages(candidate, fixedIn) < 0;
}

/** The oldest block that covers a package; null: it is not blocked. */
export const blockOf = (blocked: readonly BlockedVersion[], version: string): BlockedVersion | null =>
  blocked.find((block) => isBlockedBy(block, version)) ?? null;

/** Blocks one package and those after it; the same package again takes the earlier block's place. */
export const withBlock = (blocked: readonly BlockedVersion[], block: BlockedVersion): BlockedVersion[] => [
  ...blocked.filter(({ version }) => comparePackages(version, block.version) !== 0),
  block,
];

export const withoutBlock = (blocked: readonly BlockedVersion[], of: string): BlockedVersion[] =>
  blocked.filter(({ version }) => comparePackages(version, of) !== 0);

/** The block that begins with this very package. */
export const blockFrom = (blocked: readonly BlockedVersion[], of: string): BlockedVersion | null =>
  blocked.find(({ version }) => comparePackages(version, of) === 0) ?? null;

/** Whether two blocks say the same, whenever they were made. */
export function isSameBlock(a: BlockedVersion, b: BlockedVersion): boolean {
  const said = ({ version, by, reason, fixedIn, url }: BlockedVersion) =>
    JSON.stringify([version, by, reason, fixedIn, url]);
  return said(a) === said(b);
}

/** In what a package is fixed, as the last block says that covers it and knows. */
export const fixOf = (blocked: readonly BlockedVersion[], version: string): Pick<BlockedRange, 'fixedIn'> => {
  const known = blocked.findLast((block) => block.fixedIn !== undefined && isBlockedBy(block, version));
  return known?.fixedIn === undefined ? {} : { fixedIn: known.fixedIn };
};

/** The fix that a block names is the fix of what was stopped, or taken back, among the packages that it covers. */
export function noteFix({ systemic }: Pick<ClusterState, 'systemic'>, block: BlockedVersion): void {
  const { fixedIn } = block;
  if (systemic && fixedIn !== undefined && isBlockedBy(block, systemic.version)) systemic.fixedIn = fixedIn;
}

/** Why a package cannot be fixed in another one, as what was expected; null: it can. */
export const whyNotFixedIn = (version: string, fixedIn: string | undefined): string | null =>
  fixedIn === undefined || isNewer(fixedIn, version) ? null : `a package newer than ${version}`;

/** Why one more block cannot be made, as what was expected; null: it can. */
export function whyNoRoomToBlock(blocked: readonly BlockedVersion[], version: string): string | null {
  if (blocked.length < MAX_BLOCKS || blockFrom(blocked, version)) return null;
  return `at most ${MAX_BLOCKS} blocks; unblock one: ${blocked[0]?.version}, …`;
}

/** Why a block cannot be lifted, as what was expected; null: it can. */
export function whyNotBlocked(blocked: readonly BlockedVersion[], version: string): string | null {
  if (blockFrom(blocked, version)) return null;
  const covering = blockOf(blocked, version);
  if (covering) return `${covering.version}, with which its block begins`;
  const names = blocked.map((b) => b.version).join(', ');
  return names ? `a package that is blocked: ${names}` : 'a package that is blocked; none is';
}

/** A block as passes are told of it, among the brakes: each goes by those that cover its own package. */
export function brakeOfBlock({ version, by, reason, since, fixedIn, url }: BlockedVersion): BrakeStatus {
  return {
    brakeId: `blocked-${version}`,
    scope: 'package',
    mode: 'finish-cells',
    by,
    reason,
    since,
    ...(url === undefined ? {} : { url }),
    blocks: { version, ...(fixedIn === undefined ? {} : { fixedIn }) },
  };
}

/** In words: which packages a block covers. */
export function rangeText({ version, fixedIn }: BlockedRange): string {
  return fixedIn === undefined ? `${version} and later` : `${version} up to ${fixedIn}, in which it is fixed`;
}

/** The wait that a block makes, with the command that ends it. */
export function waitForBlock(
  block: BlockedRange & Pick<BlockedVersion, 'by' | 'reason' | 'since'>,
  ring: number,
): WaitingFor {
  const { version, by, reason, since } = block;
  return {
    kind: 'brake',
    ring,
    since,
    detail: `blocked by ${by}: ${rangeText(block)}: ${reason}`,
    next: [`cellctl unblock ${version} --reason "…"`],
    blocked: version,
  };
}
