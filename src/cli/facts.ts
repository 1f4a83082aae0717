import type { SeenRollout } from '../client/index.js';
import type { BrakeStatus, CellException, ClusterStatus, WaitingFor } from '../contract/status.js';
import { scopeText } from '../domain/brake.js';
import { countsText } from './bar.js';
import { clock } from './time.js';
import { cutOffText } from './tree-parts.js';

/** A status as single facts, each under a key of its own, for an output that cannot be drawn over. */
export type Facts = ReadonlyMap<string, string>;

/** One line for each fact that is new or other than before. */
export const changedFacts = (before: Facts | null, after: Facts): string[] =>
  [...after].filter(([key, text]) => before?.get(key) !== text).map(([, text]) => text);

export function rolloutFacts(status: SeenRollout): Facts {
  const { version, state, waitingFor, brakes, rings, supersededBy, cutOff } = status;
  const by = supersededBy ? ` by ${supersededBy}` : '';
  return new Map([
    ['state', `${version}: ${state}${by}`],
    ...(cutOff ? [['cut off', cutOffText(cutOff)] as [string, string]] : []),
    ...waitFacts('wait', waitingFor),
    ...brakes.map(brakeFact),
    ...rings.flatMap((r): [string, string][] => {
      const rest = countsText(r);
      const progress = r.empty ? 'empty' : `${r.converged}/${r.total}${rest ? `, ${rest}` : ''}`;
      return [
        [`ring ${r.ring}`, `ring ${r.ring} ${r.name}: ${r.state}, ${progress}`],
        ...r.exceptions.map((e) => exceptionFact(r.ring, e)),
      ];
    }),
  ]);
}

export function clusterFacts(status: ClusterStatus): Facts {
  const { cluster, topologyRevision, autoDeploy, waitingFor, brakes, rings } = status;
  const reason = autoDeploy.reason ? ` (${autoDeploy.reason})` : '';
  return new Map([
    ['cluster', `${cluster ?? 'no cluster yet'}: topology revision ${topologyRevision}`],
    ['auto-deploy', `auto-deploy ${autoDeploy.state}${reason}`],
    ...waitFacts('wait', waitingFor),
    ...brakes.map(brakeFact),
    ...rings.flatMap((r): [string, string][] => [
      [
        `ring ${r.ring}`,
        `ring ${r.ring} ${r.name}: ${r.state}, ${r.onDesired}/${r.total} on ${r.desired ?? 'nothing yet'}`,
      ],
      ...r.exceptions.map((e) => exceptionFact(r.ring, e)),
    ]),
  ]);
}

function waitFacts(key: string, wait: WaitingFor | null): [string, string][] {
  if (!wait) return [];
  const where = wait.ring === undefined ? '' : ` in ring ${wait.ring}`;
  const when = wait.until === undefined ? '' : ` until ${clock(wait.until, Date.parse(wait.since))}`;
  const next = wait.next.map((command) => `; next: ${command}`).join('');
  return [[key, `waits for ${wait.kind}${where}${when}: ${wait.detail}${next}`]];
}

const brakeFact = ({ brakeId, scope, mode, by, reason }: BrakeStatus): [string, string] => [
  `brake ${brakeId}`,
  `brake ${brakeId} on ${scopeText(scope)} (${mode}) by ${by}: ${reason}`,
];

const exceptionFact = (ring: number, { cell, state, reason, jobId }: CellException): [string, string] => [
  `cell ${cell}`,
  `ring ${ring} ${cell}: ${state}${jobId === undefined ? '' : ` (${jobId})`}: ${reason}`,
];
