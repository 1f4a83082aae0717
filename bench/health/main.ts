import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { keep, lineOf } from '../support/report.js';
import type { Estimate } from './intervals.js';
import { JUDGES, ON_DEMAND, ours, RIVALS } from './judges/index.js';
import { type Score, scoreOf, scoresByKind, type Trial } from './score.js';
import { SETS, type SetName } from './seeds.js';
import { trialsOf } from './trials.js';
import { CELLS } from './world.js';

/**
 * How well the health judge does, on simulated rollouts whose labels it does not see, beside four others written from
 * their public descriptions. One JSON line a judge on standard output and, for the whole evaluation set, in
 * `bench/results/health.jsonl`; tables on standard error. Ends with status 1 where a target is missed.
 */

const GOOD_STOPPED_AT_MOST = 0.01;
const RECALL_AT_LEAST = 0.95;

interface Flags {
  set: SetName;
  rollouts?: number;
  judge?: string[];
  wrong?: boolean;
  processes: number;
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function read(): Flags {
  return new Command('bench:health')
    .description('Measures the health judge on simulated rollouts, beside four others.')
    .option(
      '--set <name>',
      `one of ${Object.keys(SETS).join(', ')}; only the evaluation set is kept`,
      setNamed,
      'evaluation',
    )
    .option('--rollouts <n>', 'only the first so many, to try things out; not kept', wholeNumber)
    .option('--judge <name...>', `only these: ${[...JUDGES, ...ON_DEMAND].map((j) => j.name).join('; ')}; not kept`)
    .option('--processes <n>', 'how many share the work; changes no result', wholeNumber, 1)
    .option('--wrong', 'a line on each rollout that our judge got wrong')
    .allowExcessArguments(false)
    .parse()
    .opts<Flags>();
}

function setNamed(name: string): SetName {
  if (Object.hasOwn(SETS, name)) return name as SetName;
  throw new InvalidArgumentError(`Expected one of ${Object.keys(SETS).join(', ')}.`);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1.');
  return Number(text);
}

async function main(): Promise<number> {
  const flags = read();
  const { firstSeed, rollouts } = SETS[flags.set];
  const judges = flags.judge ? [...JUDGES, ...ON_DEMAND].filter(({ name }) => flags.judge?.includes(name)) : JUDGES;
  const count = flags.rollouts ?? rollouts;
  const began = new Date();
  const task = { firstSeed, count, judges: judges.map(({ name }) => name) };
  const trials = await trialsOf(task, flags.processes, (done) => {
    if (done % 60 === 0) say(`${done} of ${count} rollouts`);
  });
  const scores = new Map([...trials].map(([name, list]) => [name, scoreOf(list)]));
  const kept = count === rollouts && judges.length === JUDGES.length && flags.set === 'evaluation';
  for (const [name, list] of trials) {
    const line = lineOf('health', began, {
      ...outcomeOf(name, list, scores),
      parameters: { judge: name, set: flags.set, firstSeed, rollouts: count, cells: CELLS },
    });
    process.stdout.write(`${JSON.stringify(line)}\n`);
    if (kept) keep(line);
  }
  if (flags.wrong) for (const line of wrongOnes(trials.get(ours.name) ?? [])) say(line);
  say(overall(scores));
  say(byKind(trials));
  return judges.includes(ours) && missed(scores).length > 0 ? 1 : 0;
}

/** The targets stand on our line only: others are there to compare with. */
function outcomeOf(name: string, list: readonly Trial[], scores: ReadonlyMap<string, Score>) {
  const score = scoreOf(list);
  const measured = {
    ...rounded(score),
    byKind: Object.fromEntries([...scoresByKind(list)].map(([key, s]) => [key, rounded(s)])),
  };
  if (name !== ours.name) return { measured, targets: {} };
  const exposed = score.exposed?.value ?? 0;
  const better = rivalsAsCareful(scores).filter((rival) => (scores.get(rival)?.exposed?.value ?? 0) <= exposed);
  return {
    measured: {
      ...measured,
      shareOfGoodStopped: score.goodStopped?.value,
      recallOfObjective: score.recall?.value,
      carefulRivalsThatExposeNoMore: better.length,
    },
    targets: {
      shareOfGoodStopped: { atMost: GOOD_STOPPED_AT_MOST },
      recallOfObjective: { atLeast: RECALL_AT_LEAST },
      carefulRivalsThatExposeNoMore: { atMost: 0 },
    },
  };
}

/** Rivals that stop good packages no more often than our judge does. */
function rivalsAsCareful(scores: ReadonlyMap<string, Score>): string[] {
  const ourShare = scores.get(ours.name)?.goodStopped?.value ?? 0;
  return RIVALS.map(({ name }) => name).filter((name) => (scores.get(name)?.goodStopped?.value ?? 1) <= ourShare);
}

function missed(scores: ReadonlyMap<string, Score>): string[] {
  const score = scores.get(ours.name);
  const exposed = score?.exposed?.value ?? 0;
  return [
    ...((score?.goodStopped?.value ?? 0) > GOOD_STOPPED_AT_MOST ? ['good packages stopped'] : []),
    ...((score?.recall?.value ?? 1) < RECALL_AT_LEAST ? ['recall'] : []),
    ...rivalsAsCareful(scores).filter((rival) => (scores.get(rival)?.exposed?.value ?? 0) <= exposed),
  ];
}

function rounded(score: Score): Record<string, unknown> {
  const short = (estimate: Estimate | null) =>
    estimate && Object.fromEntries(Object.entries(estimate).map(([key, value]) => [key, Number(value.toPrecision(4))]));
  return Object.fromEntries(Object.entries(score).map(([key, estimate]) => [key, short(estimate)]));
}

const percent = (e: Estimate | null): string =>
  e === null ? '–' : `${(100 * e.value).toFixed(1)} % (${(100 * e.low).toFixed(1)}–${(100 * e.high).toFixed(1)})`;
const plain = (e: Estimate | null): string =>
  e === null ? '–' : `${e.value.toFixed(1)} (${e.low.toFixed(1)}–${e.high.toFixed(1)})`;

function overall(scores: ReadonlyMap<string, Score>): string {
  const head = [
    'judge',
    'good stopped',
    'recall (size ≥ 1)',
    'recall (size ≥ 1, one quiet cell)',
    'recall (smaller)',
    'precision',
    'cells exposed',
    'minutes to stop',
    'minutes of a good one',
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const [name, s] of scores) {
    table.push([
      name,
      percent(s.goodStopped),
      percent(s.recall),
      percent(s.recallUnasked),
      percent(s.recallSmall),
      percent(s.precision),
      plain(s.exposed),
      plain(s.minutesToStop),
      plain(s.goodMinutes),
    ]);
  }
  return table.toString();
}

/** Recall, and the cells exposed, by kind of fault; a star where a rival does better than our judge. */
function byKind(trials: ReadonlyMap<string, readonly Trial[]>): string {
  const names = [...trials.keys()];
  const scores = names.map((name) => scoresByKind(trials.get(name) ?? []));
  const table = new Table({ head: ['fault', 'n', ...names], style: { head: [], border: [] } });
  for (const key of scores[0]?.keys() ?? []) {
    const own = scores[0]?.get(key);
    const cells = scores.map((of, i) => {
      const score = of.get(key);
      const recall = score?.recall ?? score?.recallUnasked ?? score?.recallSmall ?? null;
      const better = i > 0 && isBetter(score, own);
      const exposed = score?.exposed ? `, ${score.exposed.value.toFixed(1)} cells` : '';
      const minutes = score?.minutesToStop ? `, ${score.minutesToStop.value.toFixed(0)} min` : '';
      return `${recall ? `${(100 * recall.value).toFixed(0)} %` : '–'}${exposed}${minutes}${better ? ' *' : ''}`;
    });
    table.push([key, String(own?.recall?.of ?? own?.recallUnasked?.of ?? own?.recallSmall?.of ?? 0), ...cells]);
  }
  return `${table.toString()}\n* better than our judge there: more caught, or as many and fewer cells exposed, or as many and earlier`;
}

function isBetter(rival: Score | undefined, own: Score | undefined): boolean {
  const of = (score: Score | undefined) => [
    -((score?.recall ?? score?.recallUnasked ?? score?.recallSmall)?.value ?? 0),
    score?.exposed?.value ?? 0,
    score?.minutesToStop?.value ?? Number.POSITIVE_INFINITY,
  ];
  const [a, b] = [of(rival), of(own)];
  const first = a.findIndex((value, i) => value !== b[i]);
  return first >= 0 && (a[first] ?? 0) < (b[first] ?? 0);
}

function wrongOnes(list: readonly Trial[]): string[] {
  return list.flatMap(({ scenario, outcome }) => {
    const { fault, seed, fleet, data, meanwhile } = scenario;
    const right = fault === null ? !outcome.stopped : outcome.stopped && outcome.exposed > 0;
    if (right) return [];
    const label = fault ? `${fault.kind} of size ${fault.size} on ${fault.on}` : 'good';
    const end = outcome.stopped
      ? `stopped by ${outcome.by} after ${outcome.minutes} min: ${outcome.why}`
      : 'not stopped';
    return [`${seed}: ${label}; ${fleet}, data ${data}, ${meanwhile}: ${end}`];
  });
}

process.exitCode = await main();
