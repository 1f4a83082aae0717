import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PackageRolloutStatus } from '../../src/contract/status.js';
import { type Simulator, startSimulator } from '../../src/simulator/index.js';
import { expectInvariants } from '../invariants/expect.js';
import { type Alertmanager, type ShownAlert, startAlertmanager } from '../support/alertmanager.js';
import { cell, fleet, type Policy, V0, V1, V2 } from '../support/fleet.js';
import { describeWith } from '../support/installed.js';
import { lookUntil } from '../support/patience.js';
import { type PastSample, type Prometheus, type ScrapedCells, startPrometheus } from '../support/prometheus.js';
import { newWorld, type World } from '../support/world.js';
import { cellNow, ends, exceptionOf, graduate, pause, ringOf, seen, theRing, toVersion } from '../workflows/support.js';

/** A day of the simulator's metrics takes ten minutes, so that its windows of five minutes take two seconds. */
const DAY_MS = 600_000;
/** A past of one day, as the simulator itself computes it: what a Prometheus has that has scraped for that long. */
const PAST_MS = DAY_MS;
const LONG = 300_000;

/** By a pattern, because the name of a recording rule of five minutes would be taken by its word. */
const ratio = (name: string) => `{__name__=~"gitlab_service_${name}.+",cell="{{cell}}",type="webservice"}`;
const HEALTH = {
  window: '6s',
  baseline: '10m',
  interval: '1s',
  minSamples: 3,
  // A hold that lasts longer becomes a halt, which only a person ends.
  inconclusiveTimeout: '100s',
  signals: {
    apdex: { query: ratio('apdex:ratio_'), worse: 'lower', slo: 0.99, zScore: 3 },
    errors: { query: ratio('errors:ratio_'), worse: 'higher', slo: 0.005, zScore: 3 },
  },
};

interface Part {
  ring: number;
  cells: number;
  policy: Policy;
}

/** Each scenario has a cluster of its own; its ring's number makes the names of its cells its own, too. */
const PARTS = {
  healthy: { ring: 2, cells: 3, policy: {} },
  burst: { ring: 3, cells: 3, policy: { failureBudget: 1, maxParallel: 3, firstCells: 1 } },
  systemic: { ring: 4, cells: 6, policy: { failureBudget: 5, maxParallel: 6, autoRollback: 'ring', bakeTime: '40s' } },
  away: { ring: 5, cells: 3, policy: {} },
} satisfies Record<string, Part>;
type Name = keyof typeof PARTS;

const names = Object.keys(PARTS) as Name[];
const cellsOf = (name: Name) => {
  const { ring, cells } = PARTS[name];
  return [`qa-${name}`, `legacy-${name}`, ...Array.from({ length: cells }, (_, at) => `c${ring}-${at + 1}`)];
};
const topologyOf = (name: Name) => {
  const { ring, cells, policy } = PARTS[name];
  const topology = fleet({ [ring]: cells }, { [ring]: policy }, { cluster: name, health: HEALTH });
  const [qa, main, ...others] = topology.rings as object[];
  const legacy = { id: `legacy-${name}`, url: 'https://gitlab.example', observe: true };
  const inner = [
    { ...qa, cells: [cell(`qa-${name}`)] },
    { ...main, cells: [legacy] },
  ];
  return { ...topology, rings: [...inner, ...others] };
};

describeWith('prometheus', 'prometheus-alertmanager')('against a real Prometheus and a real Alertmanager', () => {
  const simulators = new Map<Name, Simulator>();
  const simulatorOf = (name: Name) => simulators.get(name) as Simulator;
  let shared: Prometheus;
  /** The one that is killed. */
  let own: Prometheus;
  let alertmanager: Alertmanager;

  beforeAll(async () => {
    for (const name of names) {
      const pace = { durationMs: 500, spread: 0, dayMs: DAY_MS };
      // The QA cell has traffic, too: a package leaves the perimeter only where that is known to be healthy.
      const options = { topology: topologyOf(name), initialVersion: V0, quiet: [], ...pace };
      simulators.set(name, await startSimulator(options));
    }
    const prometheusOf = async (of: Name[]) => {
      const scrapes = of.map((name) => ({ simulator: simulatorOf(name).url, cells: cellsOf(name) }));
      return startPrometheus({ scrapes, past: (await Promise.all(scrapes.map(pastOf))).flat() });
    };
    [shared, own, alertmanager] = await Promise.all([
      prometheusOf(['healthy', 'burst', 'systemic']),
      prometheusOf(['away']),
      startAlertmanager(),
    ]);
  });
  afterAll(async () => {
    await Promise.all([shared?.stop(), own?.stop(), alertmanager?.stop()]);
    await Promise.all([...simulators.values()].map((simulator) => simulator.close()));
  });

  const scenario = (title: string, name: Name, body: (world: World) => Promise<void>) =>
    test.concurrent(
      title,
      async () => {
        const prometheus = (name === 'away' ? own : shared).url;
        const outside = { amp: simulatorOf(name), prometheus, alertmanager: alertmanager.url };
        const world = await newWorld({ topology: topologyOf(name), ...outside });
        try {
          await world.apply();
          await body(world);
          await expectInvariants(world, { noticeMs: 10_000 });
        } finally {
          await world.close();
        }
      },
      LONG,
    );

  /** Alerts of one cluster, as they are up now. */
  const up = async (cluster: Name) => (await alertmanager.alerts()).filter(({ labels }) => labels.cluster === cluster);
  const firing = async (cluster: Name, alertname: string, timeoutMs = 30_000): Promise<ShownAlert> => {
    const look = async () => (await up(cluster)).find(({ labels }) => labels.alertname === alertname);
    const found = await lookUntil(look, timeoutMs);
    if (found) return found;
    throw new Error(`${alertname} is not raised in ${timeoutMs} ms; up: ${JSON.stringify(await up(cluster))}`);
  };
  const allResolved = async (cluster: Name) => {
    await lookUntil(async () => (await up(cluster)).length === 0, 30_000);
    expect(await up(cluster)).toEqual([]);
  };

  scenario('a healthy package converges, and nobody is told of anything', 'healthy', async (world) => {
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({
      ...{ converged: 3, failed: 0, rolledBack: 0 },
      health: { mode: 'enforce', cells: { healthy: 3, unhealthy: 0, inconclusive: 0 } },
    });
    expect(await up('healthy')).toEqual([]);
  });

  scenario(
    'an error burst on one cell is rolled back within the budget; the next package ends its alert',
    'burst',
    async (world) => {
      await world.fault({ kind: 'error-burst', cell: 'c3-2', version: V1, size: 0.3 });
      await graduate(world, V1);
      const end = await ends(world, V1);
      expect(theRing(end, 3)).toMatchObject({ converged: 2, rolledBack: 1 });
      expect(exceptionOf(end, 3, 'c3-2')).toMatchObject({
        state: 'rolled-back',
        reason: expect.stringContaining('unhealthy after its'),
        evidence: expect.arrayContaining([expect.objectContaining({ signal: 'errors', cell: 'c3-2' })]),
      });
      expect(await cellNow(world, 'c3-2')).toMatchObject({ version: V0 });
      expect(await firing('burst', 'CellRolledBack')).toMatchObject({
        labels: { cluster: 'burst', ring: '3', cell: 'c3-2', package: V1, severity: 's2', team: 'ops' },
        annotations: {
          summary: expect.stringContaining('c3-2 was rolled back: unhealthy after its'),
          evidence: expect.stringContaining('errors'),
          runbook_url: 'docs/runbooks.md#cellrolledback',
          next: expect.stringContaining(`cellctl retry --ring 3 ${V1} --cells c3-2`),
        },
      });
      expect(await up('burst')).toHaveLength(1);
      await graduate(world, V2);
      expect(theRing(await ends(world, V2), 3)).toMatchObject({ converged: 3 });
      await allResolved('burst');
    },
  );

  scenario('a fault of the package halts the ring as systemic, until a person aborts it', 'systemic', async (world) => {
    // Too late for any cell's own window: only who watches the ring as a whole sees it.
    await world.fault({ kind: 'error-burst', version: V1, size: 0.3, delayMs: 15_000 });
    await graduate(world, V1);
    const isBack = (s: PackageRolloutStatus) => ringOf(s, 4)?.state === 'halted' && ringOf(s, 4)?.rolledBack === 6;
    const ring = theRing(await seen(world, V1, isBack, 90_000), 4);
    expect(ring.health?.ring).toMatchObject({ verdict: 'unhealthy', scope: 'systemic' });
    for (const cell of ['c4-1', 'c4-6']) expect(await cellNow(world, cell)).toMatchObject({ version: V0 });
    expect(await firing('systemic', 'PackageUnhealthy')).toMatchObject({
      labels: { ring: '4', package: V1, severity: 's1', team: 'ops' },
      annotations: {
        summary: expect.stringContaining('the package is unhealthy'),
        evidence: expect.stringContaining('errors'),
        next: expect.stringContaining(`cellctl abort ${V1} --rollback`),
      },
    });
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'INC-4711' });
    await ends(world, V1);
    await allResolved('systemic');
  });

  scenario('a Prometheus that is killed in the middle holds the rollout, until it is back', 'away', async (world) => {
    await graduate(world, V1);
    await world.until('the first job', async () => toVersion(await world.jobs(), V1).length > 0);
    await own.kill();
    const held = await seen(world, V1, (s) => s.waitingFor?.detail.includes('Prometheus'), 60_000);
    expect(held.waitingFor).toMatchObject({ kind: 'health', ring: 5, detail: expect.stringContaining('Prometheus') });
    const before = toVersion(await world.jobs(), V1).length;
    expect(before).toBeLessThan(3);
    expect(await firing('away', 'PrometheusUnavailable', 60_000)).toMatchObject({
      labels: { ring: '5', package: V1, severity: 's2', team: 'ops' },
      annotations: { runbook_url: 'docs/runbooks.md#prometheusunavailable' },
    });
    await pause(5_000);
    const jobs = await world.jobs();
    expect(toVersion(jobs, V1)).toHaveLength(before);
    expect(jobs.filter(({ kind }) => kind === 'rollback')).toEqual([]);
    await own.startAgain();
    expect(theRing(await ends(world, V1, 180_000), 5)).toMatchObject({ converged: 3, failed: 0, rolledBack: 0 });
    await allResolved('away');
  });
});

interface Range {
  data: { result: { metric: Record<string, string>; values: [atS: number, value: string][] }[] };
}

/** What the cells were until now, under the labels that scrapes give. */
async function pastOf({ simulator, cells }: ScrapedCells): Promise<PastSample[]> {
  const endS = Math.floor(Date.now() / 1_000);
  const query = `{__name__=~"gitlab_service_.+",type="webservice",cell=~"${cells.join('|')}"}`;
  const range = new URLSearchParams({ query, start: `${endS - PAST_MS / 1_000}`, end: `${endS}`, step: '1' });
  const answer = (await (await fetch(`${simulator}/api/v1/query_range?${range}`)).json()) as Range;
  return answer.data.result.flatMap(({ metric: { __name__, ...labels }, values }) => {
    const all = Object.entries({ ...labels, job: 'cells', instance: labels.cell });
    const series = `${__name__}{${all.map(([label, value]) => `${label}="${value}"`).join(',')}}`;
    return values.map(([atS, value]): PastSample => [series, Number(value), atS * 1_000]);
  });
}
