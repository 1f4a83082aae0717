import { type Install, SIGNALS, type Strike } from '../metrics/index.js';
import { compareVersions } from '../packages.js';
import { isMeasured, type MeasuredFault } from './measured.js';
import type { Fault, FaultOf } from './schema.js';

/** A fault as it is remembered: metrics of the past go on showing it after it was taken away. */
export interface FaultSpan {
  id: string;
  fault: Fault;
  fromMs: number;
  /** Null while it is in force. */
  toMs: number | null;
}

export interface StruckCell {
  id: string;
  tenant: string | null;
  installs: readonly Install[];
}

/** A cell that nobody can reach, ever, has no metrics either; one that answers now and then has. */
type Unreachable = FaultOf<'unreachable'>;
type Lasting = MeasuredFault | Unreachable;

/** Whether a fault shows in metrics, so that its span must be kept. */
export const lasts = (fault: Fault): fault is Lasting =>
  isMeasured(fault) ||
  (fault.kind === 'unreachable' && fault.after === undefined && fault.times === undefined && fault.share === undefined);

/** What the faults of a simulator do to one cell's metrics, and when. */
export const strikesOn = (cell: StruckCell, spans: readonly FaultSpan[]): Strike[] =>
  spans.flatMap((span) => {
    const { fault } = span;
    if (!lasts(fault) || !isAbout(fault, cell)) return [];
    return timesOf(span, fault, cell.installs).map((times) => strikeOf(fault, times));
  });

const isAbout = (fault: Lasting, cell: StruckCell): boolean =>
  (fault.cell === undefined || fault.cell === cell.id) && (fault.tenant === undefined || fault.tenant === cell.tenant);

interface Times {
  fromMs: number;
  toMs: number;
}

function timesOf(span: FaultSpan, fault: Lasting, installs: readonly Install[]): Times[] {
  const { startAt, delayMs = 0, forMs = Number.POSITIVE_INFINITY } = isMeasured(fault) ? fault : {};
  const startMs = startAt === undefined ? span.fromMs : Date.parse(startAt);
  const endMs = span.toMs ?? Number.POSITIVE_INFINITY;
  return runsOf(fault, installs).flatMap((run) => {
    if (startMs >= run.toMs) return [];
    const fromMs = Math.max(startMs, run.fromMs) + delayMs;
    const toMs = Math.min(run.toMs, endMs, fromMs + forMs);
    return fromMs < toMs ? [{ fromMs, toMs }] : [];
  });
}

/** When the cell ran a package that the fault is about; a restart on such a package ends nothing. */
function runsOf(fault: Lasting, installs: readonly Install[]): Times[] {
  if (fault.version === undefined) return [{ fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }];
  const runs: Times[] = [];
  installs.forEach(({ atMs, version }, index) => {
    if (!isOfPackage(fault, version)) return;
    const toMs = installs[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const last = runs.at(-1);
    if (last?.toMs === atMs) last.toMs = toMs;
    else runs.push({ fromMs: atMs, toMs });
  });
  return runs;
}

function isOfPackage(fault: Lasting, version: string | null): boolean {
  if (fault.version === undefined || version === null) return false;
  if (version === fault.version) return true;
  return 'orNewer' in fault && fault.orNewer === true && compareVersions(version, fault.version) > 0;
}

function strikeOf(fault: Lasting, times: Times): Strike {
  const worsens = { ...times, does: 'worsens' } as const;
  switch (fault.kind) {
    case 'unreachable':
      return { ...times, does: 'hides', signals: SIGNALS };
    case 'missing-series':
      return { ...times, does: 'hides', signals: fault.signals ?? SIGNALS };
    case 'frozen-values':
      return { ...times, does: 'freezes', signals: fault.signals ?? SIGNALS };
    case 'error-burst':
      return { ...worsens, signal: 'errors', size: fault.size, rampMs: 0, type: fault.type };
    case 'latency':
      return { ...worsens, signal: 'apdex', size: fault.size, rampMs: 0, type: fault.type };
    case 'traffic-loss':
      return { ...worsens, signal: 'traffic', size: fault.size, rampMs: 0, type: fault.type };
    case 'saturation':
      return { ...worsens, signal: 'saturation', size: fault.size, rampMs: 0, component: fault.component };
    case 'slow-drift': {
      const { signal, size, rampMs, type, component } = fault;
      return { ...worsens, signal, size, rampMs, type, component };
    }
  }
}
