import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request to AMP or to a cell, seen from the wire: first when it arrives, then again when it is answered. */
export interface Exchange {
  phase: 'asked' | 'answered';
  at: number;
  askedAt: number;
  method: string;
  path: string;
  /** Body of the request, as JSON. */
  body: Record<string, unknown>;
  /** Empty while it is only asked. */
  status: number;
  answer: Record<string, unknown>;
  /** It went no further. */
  cut: boolean;
}

/** Cuts the connection where it answers true: a request that only arrived is lost, an answer never comes. */
export type Watcher = (exchange: Exchange) => boolean;

export interface AmpProxy {
  url: string;
  /** Everything that passed, oldest first. */
  passed: Exchange[];
  /** Looks at everything from now on; one at a time. */
  watch(watcher: Watcher | null): void;
  close(): Promise<void>;
}

/** Stands between the workers and AMP with its cells, so that a test can see, and cut, any single exchange. */
export async function startAmpProxy(target: () => string): Promise<AmpProxy> {
  const passed: Exchange[] = [];
  let watcher: Watcher | null = null;
  const cuts = (exchange: Exchange): boolean => {
    passed.push(exchange);
    exchange.cut = watcher?.(exchange) ?? false;
    return exchange.cut;
  };

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(request);
    const { method = 'GET', url: path = '/' } = request;
    const about = { askedAt: Date.now(), method, path, body: read(text), cut: false };
    if (cuts({ ...about, phase: 'asked', at: Date.now(), status: 0, answer: {} })) return void request.socket.destroy();
    const reply = await fetch(`${target()}${path}`, {
      method,
      headers: headersOf(request),
      ...(text === '' ? {} : { body: text }),
    });
    const answer = await reply.text();
    const { status } = reply;
    if (cuts({ ...about, phase: 'answered', at: Date.now(), status, answer: read(answer) }))
      return void request.socket.destroy();
    const type = reply.headers.get('content-type') ?? 'application/json';
    response.writeHead(status, { 'content-type': type }).end(answer);
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    watch: (next) => {
      watcher = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** What says what is asked for; the rest belongs to the connection. */
function headersOf(request: IncomingMessage): Record<string, string> {
  const wanted = ['content-type', 'idempotency-key', 'authorization'];
  return Object.fromEntries(
    wanted.flatMap((name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

function read(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
