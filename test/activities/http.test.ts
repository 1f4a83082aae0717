import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from '../../activities/http.js';

const server = createServer((_, response) => response.end('{"ok":true}'));
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('a request is answered although Node’s own fetch has set the process’s dispatcher first', async () => {
  expect(await (await fetch(url)).json()).toEqual({ ok: true });
  expect(await request({ url, timeoutMs: 5_000 })).toMatchObject({ status: 200, json: { ok: true } });
});
