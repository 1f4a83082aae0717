import { setTimeout as sleep } from 'node:timers/promises';
import type { PackageRolloutStatus } from '../../contract/status.js';
import { hasEnded } from '../ended.js';
import { follow } from '../follow.js';
import { type Io, processIo } from '../io.js';
import { main } from '../main.js';
import { rolloutFollowing } from '../show.js';
import { hints } from './hints.js';
import type { Stage } from './stage.js';
import { FAULTY_CELL, FAULTY_RING, VERSION } from './topology.js';

/** What was measured before a cell went back counts no more: so long it takes until enough was measured after it. */
const JUDGED_AGAIN_MS = 4_000;
const NEXT_VERSION = '17.10.202503190906-7b498e447b8.d2d4f128893';

/** One package on its way through all rings, by the commands that an operator would type. Answers whether it went as planned. */
export async function play(stage: Stage, { fault }: { fault: boolean }): Promise<boolean> {
  const io: Io = { ...processIo(), env: stage.env };
  const say = (line = '') => io.stdout.write(`${line}\n`);
  const cellctl = async (...args: string[]): Promise<boolean> => {
    say(`\n$ cellctl ${args.join(' ')}`);
    return (await main(args, io)) === 0;
  };

  say(`Temporal serves ${stage.address}; its Web UI: ${stage.uiUrl}`);
  say('There is no Prometheus here: the simulator answers its queries itself; computed, not scraped');
  const begun =
    (await cellctl('cluster', 'apply', stage.topologyFile, '--release-cold-start')) &&
    (await cellctl('deploy', '--ring', '0', VERSION, '--wait')) &&
    (await cellctl('graduate', VERSION));
  if (!begun) return false;

  say(`\n$ cellctl status ${VERSION} --watch`);
  const status = await watch(io);
  await cellctl('status');
  if (fault) await sleep(JUDGED_AGAIN_MS);
  await cellctl('health', FAULTY_CELL);
  const asPlanned = fault ? isHaltedAsPlanned(status) : status?.state === 'converged';
  for (const line of closingWords(status, { fault, asPlanned, ...stage })) say(line);
  say(`\nThe Web UI shows every workflow, what it waits for and why: ${stage.uiUrl}`);
  for (const line of await hints({ ...stage, version: VERSION, nextVersion: NEXT_VERSION }, stage.env)) say(line);
  return asPlanned;
}

async function watch(io: Io): Promise<PackageRolloutStatus | null> {
  const session = await io.connect(io.env);
  const rollout = session.cells.rollout(VERSION);
  try {
    const isOver = (status: PackageRolloutStatus) => hasEnded(status) || isAtRest(status);
    return await follow({ io, read: () => rollout.status(), ...rolloutFollowing, isOver });
  } finally {
    await session.close();
  }
}

/** Halted, and nothing moves any more. */
const isAtRest = ({ state, rings }: PackageRolloutStatus): boolean =>
  state === 'halted' && rings.every((ring) => ring.inFlight === 0);

function isHaltedAsPlanned(status: PackageRolloutStatus | null): boolean {
  const ring = status?.rings.find((r) => r.ring === FAULTY_RING);
  const cell = ring?.exceptions.find((e) => e.cell === FAULTY_CELL);
  return status?.state === 'halted' && cell?.state === 'rolled-back';
}

function closingWords(
  status: PackageRolloutStatus | null,
  { fault, asPlanned, simulatorUrl }: { fault: boolean; asPlanned: boolean; simulatorUrl: string },
): string[] {
  const state = status?.state ?? 'out of sight';
  if (!asPlanned) return ['', `This was not the plan: the package is ${state}.`];
  if (!fault) return ['', `${VERSION} has converged in every ring, post-deployment migrations included.`];
  return [
    '',
    `The errors of ${FAULTY_CELL} burst on the new package: it went back by itself, ring ${FAULTY_RING} halted, and nothing goes`,
    'further. What to type next, once the cause is mended or without that:',
    `  curl -X DELETE ${simulatorUrl}/faults`,
    `  npx cellctl retry --ring ${FAULTY_RING} ${VERSION} --reason "the cell is well again"`,
    `  npx cellctl skip ${FAULTY_CELL} --version ${VERSION} --reason "goes on without it"`,
    `  npx cellctl abort ${VERSION} --rollback --reason "the package is broken"`,
  ];
}
