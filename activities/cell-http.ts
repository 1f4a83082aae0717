import { z } from '../src/contract/zod.js';
import { shortened } from '../src/domain/shortened.js';
import { causeOf, type HttpAnswer, request } from './http.js';
import type { CellApi, MetadataAnswer, ReadinessAnswer } from './ports.js';

const checkSchema = z.object({ status: z.string(), message: z.string().nullish() });
const checksSchema = z.array(checkSchema);
const metadataSchema = z.object({ version: z.string(), revision: z.string().min(1) });

/** A cell names every check that fails, with what it says. */
const MAX_WORDS = 400;

export interface CellHttpOptions {
  /** Token for the cells' own API, as in `CELLS_API_TOKEN`. */
  token?: string | undefined;
  /** Bounds each request. Default: 10 s. */
  timeoutMs?: number | undefined;
}

/** A cell's own endpoints over HTTP: `/-/readiness?all=1` and `/api/v4/metadata`. */
export function cellsOverHttp(options: CellHttpOptions = {}): CellApi {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const token: Record<string, string> = options.token ? { 'private-token': options.token } : {};

  async function get(url: string, headers: Record<string, string>, signal?: AbortSignal) {
    try {
      return await request({ url, headers, timeoutMs, signal });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      return causeOf(error);
    }
  }

  return {
    async readiness(url, signal) {
      const answer = await get(`${url}/-/readiness?all=1`, {}, signal);
      if (typeof answer === 'string') return { state: 'silent', detail: `the cell does not answer: ${answer}` };
      return judgeReadiness(answer);
    },
    async metadata(url, signal) {
      const answer = await get(`${url}/api/v4/metadata`, token, signal);
      if (typeof answer === 'string') return { state: 'unknown', detail: `the cell's API does not answer: ${answer}` };
      return judgeMetadata(answer);
    },
  };
}

/** Ready only where the cell says so in full: an answer that cannot be read is none that is good. */
function judgeReadiness(answer: HttpAnswer): ReadinessAnswer {
  const checks = checksOf(answer.json);
  const failed = checks.filter((check) => check.status !== 'ok').map((check) => check.name);
  if (failed.length > 0) return { state: 'not-ready', detail: shortened(`not ready: ${failed.join(', ')}`, MAX_WORDS) };
  if (answer.status !== 200) return { state: 'not-ready', detail: `not ready: its readiness answers ${answer.status}` };
  if (checks.length === 0) return { state: 'not-ready', detail: 'not ready: its readiness cannot be read' };
  return { state: 'ready', detail: '' };
}

/** The overall status and every single check; with `?all=1` each name holds a list of them. */
function checksOf(json: unknown): { name: string; status: string }[] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([name, value]) => {
    if (name === 'status') return [{ name: 'the overall status', status: String(value) }];
    const list = checksSchema.safeParse(Array.isArray(value) ? value : [value]).data ?? [];
    return list.map((check) => ({ name: check.message ? `${name} (${check.message})` : name, status: check.status }));
  });
}

function judgeMetadata(answer: HttpAnswer): MetadataAnswer {
  const { status } = answer;
  if (status === 401 || status === 403) return { state: 'denied', detail: `the cell's API answers ${status}` };
  if (status !== 200) return { state: 'unknown', detail: `the cell's API answers ${status}` };
  const read = metadataSchema.safeParse(answer.json);
  if (!read.success) return { state: 'unknown', detail: "the cell's metadata cannot be read" };
  return { state: 'known', ...read.data };
}
