import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { comparePackages } from '../src/domain/package-version.js';
import { withSimulatorUrls } from '../src/simulator/topology-urls.js';
import { recordActs } from '../test/support/acts.js';
import { type Bench, round } from './support/bench.js';
import { onStage, type Stage } from './support/stage.js';
import { almanacOf } from './year/almanac.js';
import { Diary } from './year/diary.js';
import { judgeYear } from './year/judge.js';
import { Life } from './year/life.js';
import { Operator } from './year/operator.js';
import {
  countBy,
  deliveries,
  driftOf,
  growthOf,
  type Lived,
  leadTimeByAmp,
  reportOfYear,
  setbacksOf,
  typedOf,
} from './year/results.js';
import { SimulatorClient } from './year/simulator.js';
import { clusterRuns } from './year/sizes.js';
import { dateOf, packageOf, SimulatedTime } from './year/time.js';
import { firstTown, simulatedCells, type Town, topologyOf } from './year/town.js';
import { Watcher } from './year/watch.js';

const DAYS = 365;
/** A year in 49 minutes. */
const DAY_SECONDS = 8;
const SEED = 20_270_101;
/** AMP's jobs take about an hour, scaled. */
const JOB_HOURS = 1;
const SPREAD = 0.5;
/** With all faults gone the cluster may take so long to be quiet: simulated days, and never less than these real ms. */
const QUIET_DAYS = 14;
const QUIET_AT_LEAST_MS = 240_000;
const SAY_EVERY_DAYS = 7;
const EXAMPLES = 20;

/** A year of a cluster of 60 cells in 4 rings, in scaled time, with what a year brings. */
export const year: Bench = {
  name: 'year',
  about: 'a simulated year of 60 cells in 4 rings: a package a day, faults, freezes, hotfixes, people',
  byDefault: false,
  async run({ days = DAYS, daySeconds = DAY_SECONDS, seed = SEED, keep, say }) {
    if (keep !== undefined) await mkdir(keep, { recursive: true });
    const town = firstTown();
    const dayMs = daySeconds * 1_000;
    const jobMs = Math.round((JOB_HOURS / 24) * dayMs);
    const began = Date.now();
    say(`year: ${days} days of ${daySeconds} s, seed ${seed}`);
    const first = topologyOf(town, new SimulatedTime(dayMs, Date.now()));
    const simulated = simulatedCells(town);
    const jobs = { jobs: `${jobMs}ms`, spread: SPREAD };
    const options = {
      topology: first,
      simulated,
      ...jobs,
      seed,
      initialVersion: packageOf(-1),
      built: true,
      keep,
      say,
    };
    return await onStage(options, async (stage) => {
      const { lived, violations, end } = await live(stage, { town, days, dayMs, seed, keep, say });
      const { diary } = lived;
      const deliveredBy = reportOfYear(lived);
      const cellsOf = ringOfTenant(lived, town);
      return {
        parameters: { days, daySeconds, seed, cells: 60, rings: 4, jobMs, spread: SPREAD },
        measured: {
          minutes: round((Date.now() - began) / 60_000, 1),
          violations: violations.length,
          violationExamples: violations.slice(0, EXAMPLES),
          ...end,
          graduated: diary.releases.filter((r) => r.graduated).length,
          hotfixes: diary.releases.filter((r) => r.graduated && r.urgent).length,
          badPackages: diary.releases.filter((r) => r.bad).length,
          ring0: countBy(diary.releases.map((r) => r.ring0)),
          ...deliveries(deliveredBy),
          leadTimeHoursByAmp: leadTimeByAmp(lived, cellsOf),
          drift: driftOf(lived),
          setbacks: setbacksOf(lived),
          typed: typedOf(lived),
          jobs: countBy(lived.jobs.map(({ kind, state }) => `${kind} ${state}`)),
          troubles: countBy(diary.troubles.map(({ what, name }) => `${what}: ${name}`)),
          cluster: growthOf(lived),
          ...flat(growthOf(lived)),
        },
        targets: {
          minutes: { atMost: 60 },
          violations: { atMost: 0 },
          cellsBehind: { atMost: 0 },
          stateGrowth: { atMost: 1.1 },
          historyGrowth: { atMost: 1.1 },
        },
      };
    });
  },
};

interface YearOptions {
  town: Town;
  days: number;
  dayMs: number;
  seed: number;
  keep: string | undefined;
  say: (line: string) => void;
}

async function live(stage: Stage, { town, days, dayMs, seed, keep, say }: YearOptions) {
  const time = new SimulatedTime(dayMs, Date.now());
  const diary = new Diary();
  const first = withSimulatorUrls(topologyOf(town, time), stage.ampUrl);
  const cells = recordActs(stage.cells, diary.acts);
  const simulator = new SimulatorClient(stage.ampUrl);
  const session = { cells, client: stage.client, namespace: 'default', close: async () => {} };
  const life = new Life({ stage, cells, simulator, time, town, diary, say });
  const operator = new Operator(stage, session, time, diary);
  const watcher = new Watcher(stage, stage.cells, time, diary);
  const aside = [operator.watch(), watcher.watch(), tell(say, { time, diary, watcher, days })];
  await life.live(almanacOf(days, seed));
  say('year: the year is over; nothing is wrong any more, and one more package comes');
  const end = await lastPackage(life, { stage, cells, simulator, time, town, diary, days, say });
  operator.stop();
  watcher.stop();
  await Promise.race([Promise.all(aside), sleep(2 * dayMs)]);
  await watcher.readLedger().catch((error: unknown) => diary.trouble('ledger', error));
  const jobs = await simulator.jobsSince(0);
  const runs = await clusterRuns(stage.client, time);
  const cluster = await stage.cells.cluster().status();
  say(`year: ${jobs.length} jobs are judged`);
  if (keep !== undefined) {
    const { entries, samples } = watcher;
    const evidence = { first, entries, samples, runs, cluster, jobs, diary };
    await writeFile(join(keep, 'year.json'), JSON.stringify(evidence));
  }
  const violations = await judgeYear({
    client: stage.client,
    jobs,
    acts: diary.acts,
    first,
    cluster,
    time,
    days: days + QUIET_DAYS,
  });
  for (const line of violations) say(`year: ${line}`);
  const lived: Lived = { time, days, entries: watcher.entries, jobs, samples: watcher.samples, runs, diary };
  return { lived, violations, end };
}

interface EndOptions {
  stage: Stage;
  cells: Stage['cells'];
  simulator: SimulatorClient;
  time: SimulatedTime;
  town: Town;
  diary: Diary;
  days: number;
  say: (line: string) => void;
}

/** Everything that stops anything is lifted, and one more package comes: it has to be everywhere, and then be quiet. */
async function lastPackage(life: Life, { cells, simulator, time, town, diary, days, say }: EndOptions) {
  const cluster = cells.cluster();
  const beganMs = Date.now();
  await simulator.clearFaults();
  town.freezes = [];
  await life.apply();
  const status = await cluster.status();
  const words = { by: 'frank', reason: 'the year is over' };
  const settled = async (act: Promise<unknown>) =>
    void (await act.catch((error: unknown) => diary.trouble('end', error)));
  for (const { brakeId } of status.brakes) await settled(cluster.releaseBrake({ ...words, brakeId }));
  for (const { cell } of status.quarantined) await settled(cluster.readmitCell({ ...words, cell }));
  const untilMs = beganMs + Math.max(QUIET_AT_LEAST_MS, QUIET_DAYS * time.dayMs);
  // After a freeze the rings may be so far behind that nothing new is let in: first they take what there is.
  while ((await cluster.status()).autoDeploy.state === 'paused' && Date.now() < untilMs) await sleep(1_000);
  const version = packageOf(days + 1);
  await life.release({ what: 'release', version, urgent: false, preempt: false });
  for (;;) {
    const behind = await cellsBehind(simulator, town, version);
    const now = await cluster.status();
    const isQuiet = now.queue.length === 0 && now.rings.every((ring) => ring.rollout === undefined);
    if ((behind.length === 0 && isQuiet) || Date.now() > untilMs) {
      const seconds = round((Date.now() - beganMs) / 1_000, 1);
      for (const line of behind.slice(0, EXAMPLES)) say(`year: ${line}`);
      if (!isQuiet) say(`year: not quiet: ${JSON.stringify(now.queue)} ${JSON.stringify(now.rings)}`);
      return { cellsBehind: behind.length, quietInTheEnd: isQuiet, secondsUntilQuiet: seconds };
    }
    await sleep(1_000);
  }
}

/** Cells of outer rings that do not run the newest package, its PDM included. */
async function cellsBehind(simulator: SimulatorClient, town: Town, version: string): Promise<string[]> {
  const cells = new Set(Object.values(town.rings).flat());
  const isThere = (runs: string | null) => runs !== null && comparePackages(runs, version) === 0;
  return (await simulator.tenants())
    .filter((t) => cells.has(t.cell_id))
    .filter((t) => !isThere(t.version) || !isThere(t.migrated_version) || t.active_job !== null)
    .map((t) => `${t.cell_id} runs ${t.version}, migrated ${t.migrated_version}, job ${t.active_job}`);
}

async function tell(
  say: (line: string) => void,
  { time, diary, watcher, days }: { time: SimulatedTime; diary: Diary; watcher: Watcher; days: number },
): Promise<void> {
  for (let day = SAY_EVERY_DAYS; day <= days; day += SAY_EVERY_DAYS) {
    await sleep(Math.max(0, time.at(day) - Date.now()));
    const { drift = {}, queue = 0, statusMs = 0, rss = {} } = watcher.samples.at(-1) ?? {};
    const graduated = diary.releases.filter((r) => r.graduated).length;
    const mb = Object.entries(rss).map(([name, bytes]) => `${name} ${Math.round(bytes / 2 ** 20)} MB`);
    const date = dateOf(day).toISOString().slice(0, 10);
    const counts = `${graduated} graduated, ${diary.typed.length} typed, ${diary.troubles.length} troubles`;
    say(
      `year: ${date}: ${counts}, drift ${JSON.stringify(drift)}, queue ${queue}, status ${Math.round(statusMs)} ms, ${mb.join(', ')}`,
    );
  }
}

/** The ring of a job's tenant; cells do not move. */
function ringOfTenant({ diary }: Lived, town: Town): (job: { tenant: string }) => number | null {
  const rings = new Map<string, number>();
  const note = (of: Record<string, string[]>) => {
    for (const [ring, cells] of Object.entries(of)) for (const cell of cells) rings.set(`t-${cell}`, Number(ring));
  };
  note(firstTown().rings);
  for (const { act, payload } of diary.acts) {
    if (act !== 'applyTopology') continue;
    const { topology } = payload as { topology: { rings: { ring: number; cells: { id: string }[] }[] } };
    note(Object.fromEntries(topology.rings.map(({ ring, cells }) => [ring, cells.map(({ id }) => id)])));
  }
  note(town.rings);
  return ({ tenant }) => rings.get(tenant) ?? null;
}

/** Targets look at single numbers. */
const flat = ({ stateGrowth, historyGrowth }: Record<string, unknown>) => ({ stateGrowth, historyGrowth });
