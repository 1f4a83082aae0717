import type { Alert } from '../../contract/activities.js';
import type { BrakeStatus } from '../../contract/status.js';
import { COORDINATOR, scopeText } from '../brake.js';
import { earliest } from '../instant.js';
import type { Due } from './book.js';

/** The alerts of the brakes of one workflow. */

export interface BrakeFacts {
  cluster: string;
  /** Of a package's own brakes. */
  version: string | null;
  perimeter: number;
  now: number;
}

const SOON_MS = 15 * 60_000;
/** That a brake is over because its time was up stays up for so long. */
const TOLD_FOR_MS = 3_600_000;

const expiryOf = ({ expiresAt }: BrakeStatus): number | null =>
  expiresAt === undefined ? null : Date.parse(expiresAt);

/**
 * @param brakes those that are on
 * @param lately those that have expired
 */
export function alertsOfBrakes(brakes: BrakeStatus[], lately: BrakeStatus[], facts: BrakeFacts): Due {
  const all = [
    ...brakes.map((b) => ofBrake(b, facts)),
    ...stillTold(brakes, lately, facts.now).map((b) => over(b, facts)),
  ];
  return {
    alerts: all.flatMap(({ alerts }) => alerts),
    nextMs: earliest(all.flatMap(({ nextMs }) => nextMs ?? [])),
  };
}

/** Of the brakes that have expired, those to be told of still; one that was engaged anew is on, not over. */
export const stillTold = (brakes: BrakeStatus[], lately: BrakeStatus[], now: number): BrakeStatus[] =>
  lately.filter((b) => now < (expiryOf(b) ?? 0) + TOLD_FOR_MS && !brakes.some(({ brakeId }) => brakeId === b.brakeId));

function ofBrake(brake: BrakeStatus, facts: BrakeFacts): Due {
  const on = engaged(brake, facts);
  const expiryMs = expiryOf(brake);
  // Of a brake that was meant to be short nobody needs to be reminded.
  if (expiryMs === null || expiryMs - Date.parse(brake.since) <= SOON_MS) return { alerts: [on], nextMs: null };
  if (facts.now < expiryMs - SOON_MS) return { alerts: [on], nextMs: expiryMs - SOON_MS };
  return { alerts: [on, expiring(brake, facts)], nextMs: null };
}

function engaged(brake: BrakeStatus, facts: BrakeFacts): Alert {
  const { brakeId, scope, mode, by, reason, since } = brake;
  const whose = whoseOf(facts);
  return {
    ...about(brake, facts),
    name: 'BrakeEngaged',
    severity: by === COORDINATOR ? 's1' : 's3',
    summary: `brake ${brakeId} stops ${scopeText(scope)} (${mode}), by ${by}: ${reason}`,
    next: ['cellctl brake list', `cellctl brake off --id ${brakeId}${whose} --reason "…"`],
    startedAtMs: Date.parse(since),
  };
}

function expiring(brake: BrakeStatus, facts: BrakeFacts): Alert {
  const { brakeId, scope, expiresAt, by, reason } = brake;
  return {
    ...about(brake, facts),
    name: 'BrakeExpiring',
    severity: 's3',
    summary: `brake ${brakeId} on ${scopeText(scope)} is over at ${expiresAt}, by ${by}: ${reason}`,
    next: ['cellctl brake list', again(brake, facts, ' --expires 2h')],
    startedAtMs: (expiryOf(brake) ?? facts.now) - SOON_MS,
  };
}

function over(brake: BrakeStatus, facts: BrakeFacts): Due {
  const { brakeId, scope, expiresAt, by, reason } = brake;
  const expiryMs = expiryOf(brake) ?? facts.now;
  const alert: Alert = {
    ...about(brake, facts),
    name: 'BrakeExpired',
    severity: 's3',
    summary: `brake ${brakeId} on ${scopeText(scope)} was over at ${expiresAt}, by ${by}: ${reason}`,
    next: ['cellctl brake list', again(brake, facts, '')],
    startedAtMs: expiryMs,
  };
  return { alerts: [alert], nextMs: expiryMs + TOLD_FOR_MS };
}

function about({ brakeId, scope }: BrakeStatus, { cluster, version, perimeter }: BrakeFacts) {
  const shared = { cluster, brake: brakeId, ...(version === null ? {} : { version }) };
  if (scope === 'outer') return { ...shared, team: 'outer' as const };
  if (typeof scope !== 'object') return shared;
  return { ...shared, ring: scope.ring, team: scope.ring <= perimeter ? ('perimeter' as const) : ('outer' as const) };
}

const whoseOf = ({ version }: BrakeFacts): string => (version === null ? '' : ` --version ${version}`);

/** The command that engages the same brake once more. */
function again({ brakeId, scope, mode }: BrakeStatus, facts: BrakeFacts, until: string): string {
  const where = facts.version === null ? scopeOption(scope) : whoseOf(facts);
  return `cellctl brake on --id ${brakeId}${where} --mode ${mode}${until} --reason "…"`;
}

function scopeOption(scope: BrakeStatus['scope']): string {
  if (typeof scope === 'object') return ` --ring ${scope.ring}`;
  return scope === 'cluster' ? ' --cluster' : '';
}
