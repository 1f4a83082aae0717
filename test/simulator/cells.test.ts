import { afterEach, expect, test } from 'vitest';
import { simulatedCellUrl, withSimulatorUrls } from '../../src/simulator/index.js';
import { closeAll, NEW, order, simulate, TOPOLOGY } from './amp-client.js';

afterEach(closeAll);

const get = (url: string, headers: Record<string, string> = {}) => fetch(url, { headers });

test('a cell answers health, liveness and readiness', async () => {
  const amp = await simulate();
  const cell = simulatedCellUrl(amp.url, 'cell-1');
  expect(await (await get(`${cell}/-/health`)).text()).toBe('GitLab OK');
  expect(await (await get(`${cell}/-/liveness`)).json()).toEqual({ status: 'ok' });
  const ready = await get(`${cell}/-/readiness?all=1`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({ master_check: [{ status: 'ok' }], db_check: [{ status: 'ok' }] });
});

test('a cell’s metadata follow what is installed', async () => {
  const amp = await simulate();
  const address = `${simulatedCellUrl(amp.url, 'cell-1')}/api/v4/metadata`;
  expect(await (await get(address)).json()).toMatchObject({ version: '17.9.0-pre', revision: '0a1b2c3d4e5' });
  await amp.post('k', order());
  expect(await (await get(address)).json()).toMatchObject({
    version: '17.10.0-pre',
    revision: '6a387d336a7',
    enterprise: true,
  });
});

test('a cell that is installing stays ready', async () => {
  const amp = await simulate({ durationMs: 60_000 });
  await amp.post('k', order());
  expect((await get(`${simulatedCellUrl(amp.url, 'cell-1')}/-/readiness?all=1`)).status).toBe(200);
});

test('a cell’s token is asked for only where one is set, and only for its API', async () => {
  const amp = await simulate({ cellsToken: 'secret' });
  const cell = simulatedCellUrl(amp.url, 'cell-1');
  expect((await get(`${cell}/api/v4/metadata`)).status).toBe(401);
  expect((await get(`${cell}/api/v4/metadata`, { 'PRIVATE-TOKEN': 'secret' })).status).toBe(200);
  expect((await get(`${cell}/api/v4/metadata`, { authorization: 'Bearer secret' })).status).toBe(200);
  expect((await get(`${cell}/-/readiness`)).status).toBe(200);
});

test('a cell that is only observed answers, and AMP does not know it', async () => {
  const amp = await simulate();
  await amp.addFault({ kind: 'changed-by-hand', cell: 'legacy', version: NEW });
  const metadata = await get(`${simulatedCellUrl(amp.url, 'legacy')}/api/v4/metadata`);
  expect(await metadata.json()).toMatchObject({ revision: '6a387d336a7' });
  expect((await amp.call('GET', '/v1/tenants/legacy')).status).toBe(404);
});

test('a cell that nobody knows is 404', async () => {
  const amp = await simulate();
  expect((await get(`${simulatedCellUrl(amp.url, 'nowhere')}/-/readiness`)).status).toBe(404);
});

test('the state shows every cell', async () => {
  const amp = await simulate();
  await amp.addFault({ kind: 'unreachable', cell: 'cell-2' });
  const { body } = await amp.control<{ tenants: object[] }>('GET', '/state');
  expect(body.tenants).toMatchObject([
    { cell_id: 'qa', tenant: 't-qa', ready: true, reachable: true },
    { cell_id: 'legacy', tenant: null },
    { cell_id: 'cell-1' },
    { cell_id: 'cell-2', ready: false, reachable: false },
  ]);
});

test('a topology’s cells are sent to the simulator, and the topology itself stays as it is', () => {
  const before = JSON.stringify(TOPOLOGY);
  const rewritten = withSimulatorUrls(TOPOLOGY, 'http://127.0.0.1:4000/');
  expect(rewritten.rings.flatMap((ring) => ring.cells.map((cell) => cell.url))).toEqual([
    'http://127.0.0.1:4000/cells/qa',
    'http://127.0.0.1:4000/cells/legacy',
    'http://127.0.0.1:4000/cells/cell-1',
    'http://127.0.0.1:4000/cells/cell-2',
  ]);
  expect(rewritten).toMatchObject({ cluster: 'test', perimeter: 1 });
  expect(JSON.stringify(TOPOLOGY)).toBe(before);
});
