import { request as send } from 'undici';

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
 * One HTTP exchange on the process's pool of kept-alive connections, by undici itself, which costs a third of what the
 * built-in `fetch` above it does. Redirects are not followed: they could carry
 * a token to another host.
 * @throws the reason of `signal` where that was aborted, else whatever kept the answer from coming
 */
export async function request(r: HttpRequest): Promise<HttpAnswer> {
  r.signal?.throwIfAborted();
  const controller = new AbortController();
  const stop = () => controller.abort(r.signal?.reason);
  const timer = setTimeout(
    () => controller.abort(new NoAnswerInTime(`no answer within ${r.timeoutMs} ms`)),
    r.timeoutMs,
  );
  r.signal?.addEventListener('abort', stop, { once: true });
  try {
    const response = await send(r.url, {
      method: r.method ?? 'GET',
      headers: { accept: 'application/json', ...r.headers, ...(r.form ? FORM_ENCODED : {}) },
      signal: controller.signal,
      ...bodyOf(r),
    });
    const text = r.maxBytes === undefined ? await response.body.text() : await boundedText(response.body, r.maxBytes);
    return { status: response.statusCode, headers: response.headers, json: parsed(text) };
  } finally {
    clearTimeout(timer);
    r.signal?.removeEventListener('abort', stop);
  }
}

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

async function boundedText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop ends the connection: the rest is not downloaded.
    if (bytes > maxBytes) throw new TooLarge(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
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
