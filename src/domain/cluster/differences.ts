import type { CellLook, LastJob } from '../../contract/activities.js';
import type { CellException, CellState, Difference, DifferenceKind } from '../../contract/status.js';
import { hasMigrated } from '../cell.js';
import { isNewer, isPackage, sameVersion } from '../package-version.js';
import { isOfPin } from '../topology/index.js';

/** What is different about the cells of a ring, and what is done about it. */

/** What the cells of a ring are compared with. */
export interface Standing {
  /** The package on which the whole ring last converged. */
  version: string;
  /** Its chart; null: nobody knows it. */
  chartVersion: string | null;
  convergedAt: string | null;
  /** Its PDM has run in the ring, and is not part of the deployment. */
  migrated: boolean;
  /** What the last pass over the ring said of cells that did not converge. */
  exceptions: CellException[];
  /** More did not converge than are named. */
  more: boolean;
}

/** A cell that a person has to look at first: the package was there, or somebody said to leave it. */
const FAILED: ReadonlySet<CellState> = new Set([
  'failed',
  'rolled-back',
  'rollback-failed',
  'migration-failed',
  'cancel-unconfirmed',
  'skipped',
]);

export const isForPerson = (state: CellState): boolean => FAILED.has(state);

/**
 * A cell that came to its ring meanwhile, when, epoch ms (left out: an older worker did not keep it), and the last package
 * that a pass did not bring it.
 */
export interface Came {
  atMs?: number;
  notBrought?: string;
}

/** What is different about a cell, or null: it stands where its ring does. `came`: null where it was there before. */
export function differenceOf(look: CellLook, standing: Standing, came: Came | null, now: number): Difference | null {
  const told = (kind: DifferenceKind, reason: string): Difference => ({
    cell: look.cell,
    kind,
    reason,
    since: new Date(now).toISOString(),
  });
  const { facts, activeJob } = look;
  if (look.tenant !== 'known' || facts.version === null)
    return told('unknown', look.problem || 'what it runs is unknown');
  if (activeJob) return told('busy', `job ${activeJob.id} is under way on it`);
  if (sameVersion(facts.version, standing.version)) return onVersion(look, standing, came, told);
  const off = offVersion(look, facts.version, standing, came, told);
  return isPackage(facts.version) ? { ...off, runs: facts.version } : off;
}

type Tell = (kind: DifferenceKind, reason: string) => Difference;

function onVersion(look: CellLook, standing: Standing, came: Came | null, told: Tell): Difference | null {
  const { version, migrated } = standing;
  if (look.failedJob) return told('failed', `${look.failedJob.kind} ${look.failedJob.id} failed on it`);
  if (isOtherChart(look, standing)) return onOtherChart(look, standing, came, told);
  const isWell = look.onTarget || look.readiness !== 'ready';
  // What was said of a cell before it came is over.
  const said = isWell || (came && !wasNotBrought(came, version)) ? null : saidOf(look, standing);
  if (said) return told('failed', said);
  if (!isWell) return told('restored', `AMP says that it runs ${version}, and ${look.problem}`);
  if (!look.onTarget) return told('unwell', look.problem);
  return migrated && !hasMigrated(look.facts, version) ? told('no-pdm', `PDM of ${version} has not run on it`) : null;
}

/** Where AMP does not say which chart a cell runs, nothing is known to be different. */
const isOtherChart = ({ facts }: CellLook, { chartVersion }: Standing): boolean =>
  chartVersion !== null && facts.chartVersion !== null && facts.chartVersion !== chartVersion;

/** A job brings a package with its chart: one that has only the package was not left so by any of ours. */
function onOtherChart(look: CellLook, standing: Standing, came: Came | null, told: Tell): Difference {
  const { version, chartVersion } = standing;
  const runs = `runs ${version} with chart ${look.facts.chartVersion}, not ${chartVersion}`;
  if (came) return comes(came, look, standing, runs, told);
  const said = saidOf(look, standing);
  return said ? told('failed', said) : told('hand', `changed by hand: it ${runs}`);
}

const wasNotBrought = ({ notBrought }: Came, version: string): boolean =>
  notBrought !== undefined && sameVersion(notBrought, version);

/** A cell that came is brought what its ring runs once: what a pass did not bring it, the next one would not either. */
function comes(came: Came, look: CellLook, standing: Standing, runs: string, told: Tell): Difference {
  const { version } = standing;
  if (!wasNotBrought(came, version)) return told('joined', `came to the ring, and ${runs}`);
  return told('failed', saidOf(look, standing) ?? `came to the ring, and ${runs}: a pass did not bring it ${version}`);
}

function offVersion(look: CellLook, runs: string, standing: Standing, came: Came | null, told: Tell): Difference {
  const { version } = standing;
  if (isPackage(runs) && isNewer(runs, version)) {
    return told('newer', `runs ${runs}, newer than ${version}, which its ring runs: it is never taken back`);
  }
  if (came && !hasFailedSince(came, look, version)) return comes(came, look, standing, `runs ${runs}`, told);
  const hand = changedByHand(look, runs, standing);
  if (hand) return told('hand', hand);
  const failed = whyFailed(look, standing);
  return failed ? told('failed', failed) : told('behind', `runs ${runs}`);
}

/** Why it is known that nobody of ours brought the cell to what it runs, or null. */
function changedByHand({ cell, lastJob = null }: CellLook, runs: string, standing: Standing): string | null {
  const { version, convergedAt, exceptions, more } = standing;
  const by = (how: string) => `changed by hand: it runs ${runs}, ${how}`;
  if (!lastJob) {
    const wasThere = !more && !exceptions.some((e) => e.cell === cell);
    return wasThere ? by('which no job brought there') : null;
  }
  const { id, state, ours, fromVersion, createdAt } = lastJob;
  const left = [lastJob.version, ...(state === 'succeeded' ? [] : [fromVersion])];
  if (!left.some((v) => sameVersion(v, runs))) return by(`which its last job ${id} did not bring there`);
  if (ours) return null;
  const isSince = convergedAt !== null && Date.parse(createdAt) >= Date.parse(convergedAt);
  return isSince || sameVersion(fromVersion, version) ? by(`since job ${id}, which is none of ours`) : null;
}

/** Whether the package was brought to a cell that came, and failed there: that is for a person, as on any other. */
const hasFailedSince = ({ atMs = Number.POSITIVE_INFINITY }: Came, { lastJob }: CellLook, version: string): boolean =>
  lastJob != null && Date.parse(lastJob.createdAt) >= atMs && whyJobFailed(lastJob, version) !== null;

/** Why the package is known to have failed on the cell, or to have been kept from it by a person; null where it is not. */
function whyFailed(look: CellLook, standing: Standing): string | null {
  const { lastJob } = look;
  return (lastJob ? whyJobFailed(lastJob, standing.version) : null) ?? saidOf(look, standing);
}

/** What the last pass said of a cell for a person to look at, or null: a pin is over where anybody asks what differs. */
function saidOf({ cell }: CellLook, { exceptions }: Standing): string | null {
  const said = exceptions.find((e) => e.cell === cell && isForPerson(e.state) && !isOfPin(e.reason));
  return said ? `${said.state}: ${said.reason}` : null;
}

/** Why a job of ours says that the package has failed, or null: it says nothing of the kind. */
function whyJobFailed({ id, kind, state, ours, fromVersion, version: to }: LastJob, version: string): string | null {
  if (!ours) return null;
  if (kind === 'rollback' && sameVersion(fromVersion, version)) return `went back from ${version} by job ${id}`;
  const hasFailed = kind === 'configure' && state !== 'succeeded' && sameVersion(to, version);
  return hasFailed ? `job ${id} to ${version} ended ${state}` : null;
}

/** Why a look at cells was asked for, and what may come of it. */
export interface Ask {
  by: string;
  /** A person asked: what failed is tried again, too. */
  person: boolean;
  /** Only these cells; null: all of the ring. */
  cells: string[] | null;
  /** false: only what is seen is to be put right. */
  converge: boolean;
}

/** Which of the cells that differ are to be converged now. `before`: how the ring was found the last time. */
export function toConverge(
  found: Difference[],
  ask: Ask,
  handChanges: 'report' | 'converge',
  before: Difference[],
): Difference[] {
  if (!ask.converge) return [];
  const named = ask.cells === null ? null : new Set(ask.cells);
  const toldBefore = new Set(before.filter(({ kind }) => kind === 'hand').map(({ cell }) => cell));
  return found.filter(({ cell, kind }) => {
    if (named && !named.has(cell)) return false;
    if (kind === 'hand') return named !== null || (handChanges === 'converge' && toldBefore.has(cell));
    return kind === 'failed' ? ask.person : MENDED.has(kind);
  });
}

const MENDED: ReadonlySet<DifferenceKind> = new Set(['behind', 'restored', 'joined', 'no-pdm']);
