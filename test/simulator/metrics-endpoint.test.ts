import { afterEach, describe, expect, test } from 'vitest';
import { simulatedCellUrl } from '../../src/simulator/index.js';
import { type AmpClient, closeAll, NEW, NEWER, OLD, order, simulate, until } from './amp-client.js';

afterEach(closeAll);

/** A day of ten seconds: what takes five minutes takes 35 ms. */
const FAST = { dayMs: 10_000 };

type Samples = Map<string, number>;

/** Samples by name and labels, as they stand in the text; any other line than a comment is one. */
async function scrape(amp: AmpClient, cell = 'cell-1'): Promise<Samples> {
  const text = await (await fetch(`${simulatedCellUrl(amp.url, cell)}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

const named = (samples: Samples, name: string) => [...samples.keys()].filter((key) => key.startsWith(`${name}{`));
const errorsOf = (cell: string, type = 'webservice') => `gitlab_service_errors:ratio_5m{cell="${cell}",type="${type}"}`;
const apdexOf = (cell: string) => `gitlab_service_apdex:ratio_5m{cell="${cell}",type="webservice"}`;

test('a cell’s metrics are Prometheus’ text format, with help and type of each', async () => {
  const amp = await simulate();
  const answer = await fetch(`${simulatedCellUrl(amp.url, 'cell-1')}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = (await answer.text()).split('\n');
  expect(lines.pop()).toBe('');
  const metrics = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
  expect(metrics).toEqual([
    'gitlab_service_apdex:ratio_5m',
    'gitlab_service_errors:ratio_5m',
    'gitlab_service_ops:rate_5m',
    'gitlab_component_saturation:ratio',
    'gitlab_version_info',
  ]);
  let last = '';
  for (const line of lines) {
    expect(line).toMatch(/^(# (HELP|TYPE) \S+ .+|[a-z_:\d]+\{(\w+="[^"\\]+",?)+\} (NaN|\d+(\.\d+)?))$/);
    const [word, , name] = line.split(/[ {]/);
    if (word === '#') last = name ?? '';
    else expect(word).toBe(last);
  }
});

test('every type and component of a cell is there, with the package that runs', async () => {
  const amp = await simulate();
  const samples = await scrape(amp);
  expect(samples.size).toBe(3 * 3 + 6 + 1);
  for (const name of ['apdex:ratio_5m', 'errors:ratio_5m', 'ops:rate_5m']) {
    expect(named(samples, `gitlab_service_${name}`).map((key) => /type="(\w+)"/.exec(key)?.[1])).toEqual([
      'webservice',
      'api',
      'git',
    ]);
  }
  expect(named(samples, 'gitlab_version_info')).toEqual([
    `gitlab_version_info{cell="cell-1",version="17.9.0-pre",revision="0a1b2c3d4e5",package="${OLD}"}`,
  ]);
  await amp.post('k', order());
  expect(named(await scrape(amp), 'gitlab_version_info')).toEqual([
    `gitlab_version_info{cell="cell-1",version="17.10.0-pre",revision="6a387d336a7",package="${NEW}"}`,
  ]);
});

test('a cell of ring 0 is quiet unless another list says who is', async () => {
  const amp = await simulate();
  expect((await scrape(amp, 'qa')).get('gitlab_service_ops:rate_5m{cell="qa",type="webservice"}')).toBe(0);
  expect((await scrape(amp, 'qa')).get(apdexOf('qa'))).toBeNaN();
  expect((await scrape(amp, 'cell-1')).get(apdexOf('cell-1'))).toBeGreaterThan(0.9);
  const other = await simulate({ quiet: ['cell-1'] });
  expect((await scrape(other, 'qa')).get(apdexOf('qa'))).toBeGreaterThan(0.9);
  expect((await scrape(other, 'cell-1')).get(apdexOf('cell-1'))).toBeNaN();
  await expect(simulate({ quiet: ['cell-9'] })).rejects.toThrow('quiet: "cell-9"; expected a cell of the topology');
});

test('an observed cell tells the deployment health of its stage', async () => {
  const amp = await simulate();
  const samples = await scrape(amp, 'legacy');
  expect(named(samples, 'gitlab_deployment_health:service')).toEqual(
    ['webservice', 'api', 'git'].map(
      (type) => `gitlab_deployment_health:service{env="gprd",stage="main",type="${type}"}`,
    ),
  );
  const labels = { env: 'gstg', stage: 'cny', region: 7 };
  const canary = { rings: [{ ring: 1, cells: [{ id: 'canary', observe: true, labels }] }] };
  const other = await simulate({ topology: canary });
  expect(named(await scrape(other, 'canary'), 'gitlab_deployment_health:service')[0]).toContain(
    'env="gstg",stage="cny"',
  );
});

test('a cell that does not answer has no metrics either', async () => {
  const amp = await simulate();
  await amp.addFault({ kind: 'unreachable', cell: 'cell-1' });
  await expect(scrape(amp)).rejects.toThrow('fetch failed');
  await amp.addFault({ kind: 'error-share', on: 'cell', cell: 'cell-2', status: 503, share: 1 });
  expect((await fetch(`${simulatedCellUrl(amp.url, 'cell-2')}/metrics`)).status).toBe(503);
  expect((await fetch(`${simulatedCellUrl(amp.url, 'nowhere')}/metrics`)).status).toBe(404);
});

describe('faults in the metrics', () => {
  const until20Percent = (amp: AmpClient, cell = 'cell-1') =>
    until(
      () => scrape(amp, cell),
      (samples) => (samples.get(errorsOf(cell)) ?? 0) > 0.1,
    );

  test('of one cell leave the others as they are, and end when they are taken away', async () => {
    const amp = await simulate(FAST);
    const id = await amp.addFault({ kind: 'error-burst', cell: 'cell-1', size: 0.2 });
    const samples = await until20Percent(amp);
    expect(samples.get(apdexOf('cell-1'))).toBeGreaterThan(0.97);
    expect((await scrape(amp, 'cell-2')).get(errorsOf('cell-2'))).toBeLessThan(0.02);
    expect((await amp.control('GET', '/faults')).body).toEqual({
      faults: [{ id, kind: 'error-burst', cell: 'cell-1', size: 0.2 }],
    });
    await amp.control('DELETE', `/faults/${id}`);
    await until(
      () => scrape(amp),
      (after) => (after.get(errorsOf('cell-1')) ?? 1) < 0.02,
    );
  });

  test('of a package begin on each cell when it runs that package, and end when it goes back', async () => {
    const amp = await simulate(FAST);
    await amp.addFault({ kind: 'error-burst', version: NEW, size: 0.2 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await scrape(amp)).get(errorsOf('cell-1'))).toBeLessThan(0.02);
    await amp.post('k1', order());
    await until20Percent(amp);
    expect((await scrape(amp, 'cell-2')).get(errorsOf('cell-2'))).toBeLessThan(0.02);
    await amp.post('k2', order({ tenant: 't-2' }));
    await until20Percent(amp, 'cell-2');
    await amp.post('k3', order({ kind: 'rollback', version: OLD }));
    await until(
      () => scrape(amp),
      (after) => (after.get(errorsOf('cell-1')) ?? 1) < 0.02,
    );
  });

  test('of a package and all newer ones go on when a cell takes a newer one', async () => {
    const amp = await simulate(FAST);
    await amp.addFault({ kind: 'error-burst', version: NEW, orNewer: true, size: 0.2 });
    await amp.post('k1', order({ version: NEWER }));
    await until20Percent(amp);
  });

  test('take away the series that they name', async () => {
    const amp = await simulate(FAST);
    await amp.addFault({ kind: 'missing-series', cell: 'cell-1', signals: ['apdex'] });
    const samples = await scrape(amp);
    expect(named(samples, 'gitlab_service_apdex:ratio_5m')).toEqual([]);
    expect(named(samples, 'gitlab_service_errors:ratio_5m')).toHaveLength(3);
    await amp.control('DELETE', '/faults');
    expect(named(await scrape(amp), 'gitlab_service_apdex:ratio_5m')).toHaveLength(3);
  });

  test('that freeze values keep them, while the others move', async () => {
    const amp = await simulate(FAST);
    await amp.addFault({ kind: 'frozen-values', cell: 'cell-1', signals: ['traffic'] });
    const ops = 'gitlab_service_ops:rate_5m{cell="cell-1",type="webservice"}';
    const seen: Samples[] = [];
    for (let i = 0; i < 5; i += 1) {
      seen.push(await scrape(amp));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(new Set(seen.map((samples) => samples.get(ops))).size).toBe(1);
    expect(new Set(seen.map((samples) => samples.get(apdexOf('cell-1')))).size).toBeGreaterThan(1);
  });

  test('of a component fill that component', async () => {
    const amp = await simulate(FAST);
    await amp.addFault({ kind: 'saturation', cell: 'cell-1', component: 'redis_memory', size: 0.6 });
    const full = 'gitlab_component_saturation:ratio{cell="cell-1",component="redis_memory"}';
    const samples = await until(
      () => scrape(amp),
      (after) => (after.get(full) ?? 0) > 0.8,
    );
    const others = named(samples, 'gitlab_component_saturation:ratio').filter((key) => key !== full);
    expect(Math.max(...others.map((key) => samples.get(key) ?? 1))).toBeLessThan(0.8);
  });
});
