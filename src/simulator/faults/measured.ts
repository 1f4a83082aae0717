import { z } from '../../contract/zod.js';
import { COMPONENTS, SERVICE_TYPES, SIGNALS, WORSENED } from '../metrics/index.js';
import { milliseconds, running } from './fields.js';

/** What strikes the cells' metrics. It has no occasions to be counted: it lasts. */
const lasts = {
  ...running,
  /** With `version`: also on packages newer than that one. */
  orNewer: z.boolean('true or false').optional(),
  /** Otherwise from when it is added; with `version` from when the cell runs it, where that is later. */
  startAt: z.iso.datetime({ offset: true, error: 'a time in RFC 3339 with an offset' }).optional(),
  delayMs: milliseconds.optional(),
  /** Otherwise until it is taken away, or the cell runs another package. */
  forMs: milliseconds.optional(),
};

const SIZE = 'a number above 0, at most 1';
const size = z.number(SIZE).positive(SIZE).max(1, SIZE);
const type = z.enum(SERVICE_TYPES, `one of ${SERVICE_TYPES.join(', ')}`).optional();
const component = z.enum(COMPONENTS, `one of ${COMPONENTS.join(', ')}`).optional();
const signals = z
  .array(z.enum(SIGNALS, `one of ${SIGNALS.join(', ')}`), 'a list of signals')
  .min(1, 'a list of signals')
  .optional();

export const measuredSchemas = [
  z.strictObject({ kind: z.literal('error-burst'), ...lasts, size, type }),
  z.strictObject({ kind: z.literal('latency'), ...lasts, size, type }),
  z.strictObject({ kind: z.literal('traffic-loss'), ...lasts, size, type }),
  z.strictObject({ kind: z.literal('saturation'), ...lasts, size, component }),
  z.strictObject({
    kind: z.literal('slow-drift'),
    ...lasts,
    signal: z.enum(WORSENED, `one of ${WORSENED.join(', ')}`),
    size,
    rampMs: milliseconds,
    type,
    component,
  }),
  z.strictObject({ kind: z.literal('missing-series'), ...lasts, signals }),
  z.strictObject({ kind: z.literal('frozen-values'), ...lasts, signals }),
] as const;

export type MeasuredFault = z.infer<(typeof measuredSchemas)[number]>;

const MEASURED_KINDS: readonly string[] = measuredSchemas.map((schema) => schema.shape.kind.value);

export const isMeasured = (fault: { kind: string }): fault is MeasuredFault => MEASURED_KINDS.includes(fault.kind);
