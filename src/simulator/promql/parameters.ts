import { badData } from './query-error.js';

/** As Prometheus has it: more would be a mistake, or a picture that nobody can see. */
const MOST_POINTS = 11_000;

export interface Range {
  startMs: number;
  endMs: number;
  stepMs: number;
}

/** The moments of a range query. Throws `QueryError` where it is none. */
export function rangeOf(params: URLSearchParams): Range {
  const startMs = timeOf(params, 'start');
  const endMs = timeOf(params, 'end');
  if (endMs < startMs) throw badData('invalid parameter "end": end timestamp must not be before start time');
  const stepMs = stepOf(params.get('step') ?? '');
  if (stepMs <= 0) {
    throw badData(
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if ((endMs - startMs) / stepMs > MOST_POINTS) {
    throw badData(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  }
  return { startMs, endMs, stepMs };
}

/** A time in seconds or RFC 3339, in milliseconds; `otherwise` where the parameter is not there. */
export function timeOf(params: URLSearchParams, name: string, otherwise?: number): number {
  const text = params.get(name) ?? '';
  if (text === '' && otherwise !== undefined) return otherwise;
  const ms = secondsOf(text) ?? instantOf(text);
  if (ms === undefined) {
    throw badData(`invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  }
  return ms;
}

const LAST_MS = 8.64e15;

function secondsOf(text: string): number | undefined {
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const ms = Math.round(Number(text) * 1000);
  return Math.abs(ms) <= LAST_MS ? ms : undefined;
}

function instantOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

const UNIT_MS = { y: 31_536_000_000, w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

function stepOf(text: string): number {
  const plain = secondsOf(text);
  if (plain !== undefined) return plain;
  const parts = DURATION.exec(text);
  if (text === '' || parts === null) {
    throw badData(`invalid parameter "step": cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
  return Object.values(UNIT_MS).reduce((total, unit, i) => total + unit * Number(parts[i + 1] ?? 0), 0);
}
