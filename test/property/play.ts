import { setTimeout as sleep } from 'node:timers/promises';
import type { Asked } from '../../src/client/index.js';
import { NotFoundError, RejectedError } from '../../src/client/index.js';
import type { RingResult } from '../../src/contract/status.js';
import { evidenceOf } from '../invariants/expect.js';
import { checkInvariants, type Evidence } from '../invariants/index.js';
import { newWorld, type World } from '../support/world.js';
import { unexplained } from './explained.js';
import { type ActPlan, cellAt, type FaultPlan, PACKAGES, type Plan, pick, ringsOf, topologyOf } from './plan.js';
import { comeToRest } from './rest.js';

/** What one run showed. */
export interface Played {
  plan: Plan;
  startedMs: number;
  /** What is wrong with it, in words; none: the run is as it should be. */
  problems: string[];
  evidence: Evidence | null;
}

/** A caller of `deployRing` who waits for the end of the pass. */
export interface Caller {
  version: string;
  answer: Promise<RingResult>;
}

/** How long a waiting caller may go on waiting once nothing moves any more. */
const CALLER_MS = 5_000;

/** Plays one plan in a world of its own, lets it come to rest, and looks at everything that must hold. */
export async function play(plan: Plan): Promise<Played> {
  const world = await newWorld({ topology: topologyOf(plan), simulator: { durationMs: plan.jobMs } });
  const played: Played = { plan, startedMs: Date.now(), problems: [], evidence: null };
  try {
    await world.apply();
    played.startedMs = Date.now();
    const callers = await disturb(world, plan, played.problems);
    played.problems.push(...(await comeToRest(world, plan)));
    played.problems.push(...(await unanswered(callers)));
    await judge(world, played);
  } catch (error) {
    played.problems.push(`the run itself broke: ${error instanceof Error ? error.message : String(error)}`);
    played.evidence ??= await evidenceOf(world).catch(() => null);
  } finally {
    await world.close();
  }
  return played;
}

async function judge(world: World, played: Played): Promise<void> {
  played.evidence = await evidenceOf(world);
  const found = checkInvariants(played.evidence);
  played.problems.push(...found.map(({ rule, message }) => `rule ${rule}: ${message}`));
  played.problems.push(...(await unexplained(world, played.plan, played.evidence)));
}

/** Faults and acts, each at its moment, whatever becomes of those before it. */
async function disturb(world: World, plan: Plan, problems: string[]): Promise<Caller[]> {
  const callers: Caller[] = [];
  const faults = plan.faults.map((fault) => after(fault.atMs, () => world.fault(faultOf(plan, fault))));
  const acts = plan.acts.map((act) =>
    after(act.atMs, async () => {
      try {
        await perform(world, plan, act, callers);
      } catch (error) {
        const problem = problemOf(error);
        if (problem !== null) problems.push(`${act.act} at ${act.atMs} ms: ${problem}`);
      }
    }),
  );
  await Promise.all([...faults, ...acts]);
  return callers;
}

async function after<T>(waitMs: number, act: () => Promise<T>): Promise<T> {
  await sleep(waitMs);
  return await act();
}

export function faultOf(plan: Plan, { kind, cell, more, pack }: FaultPlan): Record<string, unknown> {
  return { kind, cell: cellAt(plan, cell), ...more, ...(pack === undefined ? {} : { version: pick(PACKAGES, pack) }) };
}

interface More {
  lane?: string;
  preempt?: boolean;
  rollback?: boolean;
  wait?: 'bake' | 'grace-period';
}

function untilSoon({ more }: ActPlan): { expiresAt?: string } {
  const { expires } = more as { expires?: number };
  return expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires).toISOString() };
}

/** The next package, where there is one. */
function fixedIn({ more, pack }: ActPlan): { fixedIn?: string } {
  const next = PACKAGES[(pack % PACKAGES.length) + 1];
  return (more as { isFixed?: boolean }).isFixed && next ? { fixedIn: next } : {};
}

async function perform(world: World, plan: Plan, act: ActPlan, callers: Caller[]): Promise<void> {
  const version = pick(PACKAGES, act.pack);
  const rollout = world.cells.rollout(version);
  const ring = pick(ringsOf(plan), act.ring);
  const cell = cellAt(plan, act.cell);
  const by = 'operator';
  const reason = `at ${act.atMs} ms`;
  const { lane, preempt, rollback, wait } = act.more as More;
  switch (act.act) {
    case 'graduate':
      return void (await rollout.graduate({
        by: 'release-tools',
        ...(lane === undefined ? {} : { lane }),
        ...(preempt ? { preempt } : {}),
      }));
    case 'deployRing': {
      const asked: Asked<RingResult> = await rollout.deployRing({ ring: 0, by: 'release-tools' });
      const answer = asked.answer();
      answer.catch(() => undefined);
      return void callers.push({ version, answer });
    }
    case 'engageBrake':
      return await engage(world, act, { version, ring, by, reason });
    case 'releaseBrake': {
      const { where, brakeId } = act.more as { where: string; brakeId: string };
      const whose = where === 'package' ? rollout : world.cells.cluster();
      return void (await whose.releaseBrake({ brakeId, by, reason }));
    }
    case 'retryRing':
      return void (await rollout.retryRing({ ring, by, reason }));
    case 'skipCell':
      return void (await rollout.skipCell({ cell, by, reason }));
    case 'abort':
      return void (await rollout.abort({ by, reason, ...(rollback ? { rollback } : {}) }));
    case 'quarantineCell':
      return void (await world.cells.cluster().quarantineCell({ cell, by, reason, ...untilSoon(act) }));
    case 'readmitCell':
      return void (await world.cells.cluster().readmitCell({ cell, by, reason }));
    case 'blockVersion':
      return void (await world.cells.cluster().blockVersion({ version, by, reason, ...fixedIn(act) }));
    case 'unblockVersion':
      return void (await world.cells.cluster().unblockVersion({ version, by, reason }));
    case 'approveRing':
      return void (await rollout.approveRing({ ring, by, reason }));
    case 'override':
      return void (await rollout.override({ wait: wait ?? 'bake', ring, by, reason }));
    default:
      throw new Error(`no act is called ${act.act}`);
  }
}

interface Words {
  version: string;
  ring: number;
  by: string;
  reason: string;
}

async function engage(world: World, act: ActPlan, { version, ring, by, reason }: Words): Promise<void> {
  const { where, mode, brakeId } = act.more as {
    where: 'outer' | 'cluster' | 'ring' | 'package';
    mode: 'finish-cells' | 'cancel-cells' | 'finish-ring';
    brakeId: string;
  };
  const brake = { by, reason, brakeId, mode, ...untilSoon(act) };
  if (where === 'package') await world.cells.rollout(version).engageBrake(brake);
  else await world.cells.cluster().engageBrake({ ...brake, scope: where === 'ring' ? { ring } : where });
}

/** Before a rollout comes to rest, whoever waits for a ring inside the perimeter has an answer. */
async function unanswered(callers: Caller[]): Promise<string[]> {
  const answers = callers.map(async ({ version, answer }) => {
    const late = sleep(CALLER_MS, 'nobody answers', { ref: false });
    const problem = await Promise.race([answer.then(() => null, problemOf), late]);
    return problem === null ? [] : [`deployRing of ${version}: ${problem}`];
  });
  return (await Promise.all(answers)).flat();
}

/** A refusal is an answer, too. */
const problemOf = (error: unknown): string | null =>
  error instanceof RejectedError || error instanceof NotFoundError ? null : String(error);
