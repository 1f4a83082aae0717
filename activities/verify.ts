import { ApplicationFailure } from '@temporalio/common';
import type { Activities, HealthWatch, Verification, VerifyOrder } from '../src/contract/activities.js';
import { FAILURE } from '../src/contract/failures.js';
import type { CellVerdict } from '../src/contract/health.js';
import { comparePackages, isPackage } from '../src/domain/package-version.js';
import { CellHealth, type HealthDependencies } from './health.js';
import { heartbeating } from './heartbeat.js';
import { wrongForAmp, wrongForCell } from './on-target.js';
import { askAmp, jittered, type Patience, pauseFor } from './patience.js';
import type { AmpDriver, AmpTenant, CellApi } from './ports.js';
import { mismatchOf, orNull, UNKNOWN_FACTS } from './tenants.js';

export interface VerifyDependencies extends HealthDependencies {
  amp: AmpDriver;
  cells: CellApi;
  patience: Patience;
}

/** A token is refused for good when it was refused twice in a row: a cell that just starts may be confused. */
const DENIALS = 2;

/** `verifyCell`: looks at one cell until it is as wanted, or its time is over. See `Activities`. */
export function createVerifyCell(dependencies: VerifyDependencies): Activities['verifyCell'] {
  return (order) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const verification = await verified(dependencies, order, signal);
        if (!verification.verified || !order.health) return verification;
        return { ...verification, health: await watched(dependencies, order, order.health, signal) };
      },
    );
}

async function verified(
  dependencies: VerifyDependencies,
  order: VerifyOrder,
  signal: AbortSignal,
): Promise<Verification> {
  const untilMs = order.sinceMs + order.timeoutMs;
  for (let denials = 0; ; ) {
    const { verification, denied } = await look(dependencies, order, signal);
    if (verification.verified) return verification;
    denials = denied === null ? 0 : denials + 1;
    const leftMs = untilMs - Date.now();
    const isRefused = denied !== null && (denials >= DENIALS || leftMs <= 0);
    if (isRefused && !(await isOnlyThisCell(dependencies, order, signal))) throw accessDenied(denied);
    if (leftMs <= 0) return verification;
    await pauseFor(Math.min(leftMs, jittered(order.intervalMs)), signal);
  }
}

/** Unhealthy is known at once, healthy at the window's end. */
async function watched(
  dependencies: VerifyDependencies,
  { cell, version }: VerifyOrder,
  { policy, untilMs, ...known }: HealthWatch,
  signal: AbortSignal,
): Promise<CellVerdict> {
  const endMs = known.deployedAtMs + policy.windowMs;
  const isEnough = ({ verdict, atMs }: CellVerdict): boolean => {
    if (verdict === 'unhealthy') return true;
    return atMs >= (verdict === 'healthy' ? endMs : Math.max(endMs, untilMs));
  };
  return await new CellHealth(dependencies, { cell, policy, expected: version, ...known }).until(isEnough, signal);
}

interface Look {
  verification: Verification;
  /** What the cell's API said where it refused our token. */
  denied: string | null;
}

async function look(dependencies: VerifyDependencies, order: VerifyOrder, signal: AbortSignal): Promise<Look> {
  const { amp, cells, patience } = dependencies;
  const { tenant: name, url } = order.cell;
  const [tenant, readiness, metadata] = await Promise.all([
    askAmp(() => orNull(amp.getTenant(name, signal)), { patience, signal }),
    cells.readiness(url, signal),
    cells.metadata(url, signal),
  ]);
  const problem = wrongForTenant(order, tenant) ?? wrongForCell(order.version, readiness, metadata) ?? '';
  return {
    verification: {
      verified: problem === '',
      facts: tenant?.facts ?? UNKNOWN_FACTS,
      readiness: readiness.state,
      revision: metadata.state === 'known' ? metadata.revision : null,
      problem,
      health: null,
    },
    denied: metadata.state === 'denied' ? metadata.detail : null,
  };
}

/** A token that another cell of the ring takes is a good one: what refuses it is this cell's own fault. */
async function isOnlyThisCell(
  { cells }: VerifyDependencies,
  order: VerifyOrder,
  signal: AbortSignal,
): Promise<boolean> {
  if (order.witness === null) return false;
  return (await cells.metadata(order.witness.url, signal)).state === 'known';
}

function wrongForTenant(order: VerifyOrder, tenant: AmpTenant | null): string | null {
  if (tenant === null) return `AMP knows no tenant ${order.cell.tenant}`;
  const wrong = mismatchOf(order.cell, order.ring, tenant) ?? wrongForAmp(order.version, order.chartVersion, tenant);
  if (wrong !== null) return wrong;
  const { migratedVersion } = tenant.facts;
  if (!order.migrated || hasMigrated(order.version, migratedVersion)) return null;
  return `AMP has its migrations at ${migratedVersion ?? '(unknown)'}, not at ${order.version}`;
}

/** Whether the migrations of this package, or of a newer one that contains them, have begun there. */
function hasMigrated(version: string, migrated: string | null): boolean {
  if (migrated === null) return false;
  if (!isPackage(version) || !isPackage(migrated)) return migrated === version;
  return comparePackages(migrated, version) >= 0;
}

const accessDenied = (detail: string) => ApplicationFailure.nonRetryable(detail, FAILURE.accessDenied, {});
