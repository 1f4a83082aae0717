import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HeardRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The body, where it is form-encoded. */
  form: URLSearchParams;
}

export type Reply =
  | { status?: number; headers?: Record<string, string>; json?: unknown; text?: string }
  /** The connection is cut. */
  | 'drop'
  /** Nothing is ever answered. */
  | 'hang';

/** A server that answers as a test says, and keeps what it heard. */
export class FakeHttp {
  readonly heard: HeardRequest[] = [];
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const { method = '', url = '', headers } = request;
    const heard = { method, path: url, headers, body, form: new URLSearchParams(body) };
    this.heard.push(heard);
    reply(response, this.handle(heard));
  });

  private constructor(public handle: (request: HeardRequest) => Reply) {}

  static async start(handle: (request: HeardRequest) => Reply): Promise<FakeHttp> {
    const fake = new FakeHttp(handle);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function reply(response: ServerResponse, answer: Reply): void {
  if (answer === 'hang') return;
  if (answer === 'drop') {
    response.destroy();
    return;
  }
  const { status = 200, headers = {}, json, text } = answer;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(text ?? JSON.stringify(json ?? {}));
}
