import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { JUDGES, ON_DEMAND } from './judges/index.js';
import { type Judge, roll } from './rollout.js';
import { type Scenario, scenarios } from './scenario.js';
import type { Trial } from './score.js';
import { World } from './world.js';

/** Which rollouts, under which judges; all of it plain, because it goes to another process. */
export interface Task {
  firstSeed: number;
  count: number;
  judges: readonly string[];
}

/** The rollouts of one process: every `of`-th, from `part` on. */
interface Part extends Task {
  part: number;
  of: number;
}

/** One rollout under all judges, in their order. */
interface Done {
  index: number;
  trials: Trial[];
}

export const judgesNamed = (names: readonly string[]): Judge[] =>
  [...JUDGES, ...ON_DEMAND].filter(({ name }) => names.includes(name));

/** The trials of each judge, in the order of the seeds, whatever number of processes share the work. */
export async function trialsOf(
  task: Task,
  processes: number,
  done: (count: number) => void,
): Promise<Map<string, Trial[]>> {
  const all: Trial[][] = [];
  let count = 0;
  const take = ({ index, trials }: Done): void => {
    all[index] = trials;
    count += 1;
    done(count);
  };
  const parts = Array.from({ length: processes }, (_, part): Part => ({ ...task, part, of: processes }));
  if (processes === 1) runPart({ ...task, part: 0, of: 1 }, take);
  else await Promise.all(parts.map((part) => elsewhere(part, take)));
  return new Map(judgesNamed(task.judges).map(({ name }, i) => [name, all.flatMap((trials) => trials[i] ?? [])]));
}

function runPart({ firstSeed, count, judges, part, of }: Part, done: (one: Done) => void): void {
  const named = judgesNamed(judges);
  scenarios(firstSeed, count).forEach((scenario, index) => {
    if (index % of === part) done({ index, trials: trialsIn(scenario, named) });
  });
}

function trialsIn(scenario: Scenario, judges: readonly Judge[]): Trial[] {
  const world = new World(scenario);
  const unasked = world.isFaultUnasked();
  return judges.map((judge) => ({ scenario, unasked, outcome: roll(world, judge) }));
}

function elsewhere(part: Part, take: (one: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(part)]);
    child.on('message', (message) => take(message as Done));
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a process ended with ${code}`))));
  });
}

const [asked] = process.argv.slice(2);
if (process.send && process.argv[1] === fileURLToPath(import.meta.url) && asked !== undefined) {
  runPart(JSON.parse(asked) as Part, (one) => process.send?.(one));
}
