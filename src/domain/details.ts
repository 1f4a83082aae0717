import type { BrakeStatus, ClusterStatus, PackageRolloutStatus, RolloutRing, WaitingFor } from '../contract/status.js';
import { scopeText } from './brake.js';

/** Markdown for the Web UI's current details: what is going on, and what it waits for. */

const waitLine = (wait: WaitingFor | null): string => {
  if (!wait) return '';
  const until = wait.until ? `, until ${wait.until}` : '';
  const next = wait.next.map((command) => `\n- \`${command}\``).join('');
  return `\n\nWaits for **${wait.kind}** since ${wait.since}${until}: ${wait.detail}${next}`;
};

const heldText = (held: WaitingFor | null): string =>
  held ? `, waits for **${held.kind}**${held.until ? ` until ${held.until}` : ''}: ${held.detail}` : '';

const brakeLine = (b: BrakeStatus): string =>
  `\n- **${b.brakeId}** on ${scopeText(b.scope)}, ${b.mode}, by ${b.by}: ${b.reason}${b.expiresAt ? `, until ${b.expiresAt}` : ''}`;

const brakeList = (brakes: BrakeStatus[]): string =>
  brakes.length === 0 ? '' : `\n\nBrakes:${brakes.map(brakeLine).join('')}`;

export function markdownOfRing(version: string, ring: RolloutRing): string {
  const head = `**ring ${ring.ring} ${ring.name}**: **${ring.state}** on \`${version}\``;
  const counts = `${ring.converged} of ${ring.total} converged, ${ring.inFlight} in flight, ${ring.pending} pending, ${ring.failed} failed, ${ring.rolledBack} rolled back`;
  const flights = ring.cellsInFlight.length === 0 ? '' : `\n\nIn flight: ${ring.cellsInFlight.slice(0, 20).join(', ')}`;
  const lines = ring.exceptions.slice(0, 20).map((e) => `\n- **${e.cell}** ${e.state}: ${e.reason}`);
  const observed = ring.observed ? `\n\n${ring.observed.sentence}` : '';
  return `${head}\n\n${counts}${observed}${flights}${waitLine(ring.waitingFor)}${lines.length === 0 ? '' : `\n${lines.join('')}`}`;
}

export function markdownOfRollout(status: PackageRolloutStatus): string {
  const rows = status.rings.map(
    (r) =>
      `\n| ${r.ring} ${r.name} | ${r.state} | ${r.converged}/${r.total} | ${r.inFlight} | ${r.failed + r.rolledBack} |`,
  );
  const table =
    rows.length === 0
      ? ''
      : `\n\n| ring | state | converged | in flight | failed |\n|---|---|---|---|---|${rows.join('')}`;
  return `\`${status.version}\`: **${status.state}**${table}${waitLine(status.waitingFor)}${brakeList(status.brakes)}`;
}

export function markdownOfCluster(status: ClusterStatus): string {
  const rows = status.rings.map(
    (r) =>
      `\n| ${r.ring} ${r.name} | ${r.state} | ${r.desired ?? '–'} | ${r.onDesired}/${r.total} | ${r.rollout ?? ''} |`,
  );
  const head = `**${status.cluster ?? 'no topology yet'}**, revision ${status.topologyRevision}`;
  const table = `\n\n| ring | state | desired | on it | rollout |\n|---|---|---|---|---|${rows.join('')}`;
  const queue = status.queue.map((q) => `\n- ring ${q.ring}: ${q.version} since ${q.since}${heldText(q.held)}`);
  const queued = queue.length === 0 ? '' : `\n\nQueue:${queue.join('')}`;
  return `${head}${table}${queued}${waitLine(status.waitingFor)}${brakeList(status.brakes)}`;
}
