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
  body?: unknown;
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
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${r.timeoutMs} ms`)), r.timeoutMs);
  r.signal?.addEventListener('abort', stop, { once: true });
  try {
    const response = await send(r.url, {
      method: r.method ?? 'GET',
      headers: { accept: 'application/json', ...r.headers },
      signal: controller.signal,
      ...(r.body === undefined ? {} : { body: JSON.stringify(r.body) }),
    });
    return { status: response.statusCode, headers: response.headers, json: parsed(await response.body.text()) };
  } finally {
    clearTimeout(timer);
    r.signal?.removeEventListener('abort', stop);
  }
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
