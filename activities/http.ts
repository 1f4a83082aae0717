import { Agent, type Dispatcher } from 'undici';

/**
 * Of our own: the process-wide one may be the older undici in Node itself, whoever called `fetch` first, and that does not
 * know today's handlers.
 */
const AGENT = new Agent();

/** An answer whose body has been read. `json` is undefined where the body is none. */
export interface HttpAnswer {
  status: number;
  /** By their names in lower case. */
  headers: Record<string, string | string[] | undefined>;
  json: unknown;
}

export interface HttpRequest {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent form-encoded, in place of `body`. */
  form?: URLSearchParams;
  /** A larger answer is not read to its end, and fails with `TooLarge`. Bytes. */
  maxBytes?: number;
  /** Bounds the whole exchange, body included. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * One HTTP exchange on the process's pool of kept-alive connections, at undici's lowest level: the answers are small, and
 * a stream and an abort signal for each would double what it costs. Redirects are not followed: they could carry a token
 * to another host.
 * @throws the reason of `signal` where that was aborted, else whatever kept the answer from coming
 */
export async function request(r: HttpRequest): Promise<HttpAnswer> {
  r.signal?.throwIfAborted();
  return await new Promise((resolve, reject) => new Exchange(r, resolve, reject).begin());
}

class Exchange implements Dispatcher.DispatchHandler {
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #headers: HttpAnswer['headers'] = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Set once it was given up. It may then still wait for its connection. */
  #stopped: Error | null = null;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = () => this.#giveUp(this.request.signal?.reason);

  constructor(
    private readonly request: HttpRequest,
    private readonly resolve: (answer: HttpAnswer) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    const { timeoutMs, signal } = request;
    this.#timer = setTimeout(() => this.#giveUp(new NoAnswerInTime(`no answer within ${timeoutMs} ms`)), timeoutMs);
    signal?.addEventListener('abort', this.#stop, { once: true });
  }

  begin(): void {
    const { url, method = 'GET', headers, form } = this.request;
    try {
      const { origin, pathname, search } = new URL(url);
      AGENT.dispatch(
        {
          origin,
          path: pathname + search,
          method,
          headers: { accept: 'application/json', ...headers, ...(form ? FORM_ENCODED : {}) },
          ...bodyOf(this.request),
        },
        this,
      );
    } catch (error) {
      this.onResponseError(null, error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped) controller.abort(this.#stopped);
  }

  onResponseStart(_: unknown, status: number, headers: HttpAnswer['headers']): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    const { maxBytes = Number.POSITIVE_INFINITY } = this.request;
    this.#bytes += chunk.length;
    // Giving it up ends the connection: the rest is not downloaded.
    if (this.#bytes > maxBytes) this.#giveUp(new TooLarge(`the answer is larger than ${maxBytes} bytes`));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    const json = parsed(UTF_8.decode(Buffer.concat(this.#chunks, this.#bytes)));
    this.resolve({ status: this.#status, headers: this.#headers, json });
  }

  onResponseError(_: unknown, error: unknown): void {
    this.#settle();
    this.reject(error);
  }

  #giveUp(reason: unknown): void {
    this.#settle();
    this.reject(reason);
    this.#stopped = reason instanceof Error ? reason : new Error(String(reason));
    this.#controller?.abort(this.#stopped);
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.request.signal?.removeEventListener('abort', this.#stop);
  }
}

/** Takes a byte order mark off, as a reader of JSON must. */
const UTF_8 = new TextDecoder();

const FORM_ENCODED = { 'content-type': 'application/x-www-form-urlencoded' };

function bodyOf({ body, form }: HttpRequest): { body?: string } {
  if (form) return { body: form.toString() };
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

export class NoAnswerInTime extends Error {
  override readonly name = 'NoAnswerInTime';
}

/** An answer that is larger than the asker can use. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/** `Retry-After` in milliseconds, from seconds or an HTTP date; null where there is none. */
export function retryAfterMs(headers: HttpAnswer['headers']): number | null {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return null;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/**
 * The other side's clock from its answer's `Date`, epoch ms. That header counts whole seconds, so where it agrees with
 * ours within two of them ours is the finer reading of the same time.
 */
export function clockOf({ headers }: HttpAnswer): number {
  const local = Date.now();
  const theirs = Date.parse(String(headers.date ?? ''));
  return Number.isNaN(theirs) || Math.abs(theirs - local) < 2_000 ? local : theirs;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What went wrong in an exchange, in a few words. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const code = (cause as NodeJS.ErrnoException).code;
  return cause.message || code || error.message;
}
