import { AMP_JOB_KINDS } from '../../contract/amp.js';
import type { Problem } from '../../contract/problem.js';
import { z } from '../../contract/zod.js';
import { STAGES } from '../plan.js';
import { problemsOf } from '../problems.js';
import { count, milliseconds, running, text, where } from './fields.js';
import { isMeasured, type MeasuredFault, measuredSchemas } from './measured.js';

const jobKind = z.enum(AMP_JOB_KINDS, `one of ${AMP_JOB_KINDS.join(', ')}`).optional();
const share = z.number('a number from 0 to 1').min(0, 'a number from 0 to 1').max(1, 'a number from 0 to 1');
const method = z.enum(['GET', 'POST'], 'GET or POST').optional();
const error = text('the error that the job shows').optional();
const switched = z.boolean('true or false').optional();

/** How often a fault strikes: not the first `after` occasions, then by `share`, `times` at most. */
const often = {
  after: count('a whole number, 0 or more', 0).optional(),
  times: count('a whole number, 1 or more', 1).optional(),
  share: share.optional(),
};

const ERROR_STATUSES = [401, 403, 429, 500, 502, 503, 504] as const;

const schemas = [
  z.strictObject({
    kind: z.literal('job-fails'),
    ...running,
    ...often,
    jobKind,
    stage: z.enum(STAGES, `one of ${STAGES.join(', ')}`).optional(),
    switched,
    error,
  }),
  z.strictObject({ kind: z.literal('pdm-fails'), ...running, ...often, error }),
  z.strictObject({ kind: z.literal('rollback-fails'), ...running, ...often, switched, error }),
  z.strictObject({
    kind: z.literal('job-hangs'),
    ...running,
    ...often,
    jobKind,
    switched,
    ignoreCancel: z.boolean('true or false').optional(),
  }),
  z.strictObject({
    kind: z.literal('slow'),
    ...running,
    ...often,
    jobKind,
    factor: z.number('a number above 0').positive('a number above 0'),
  }),
  z.strictObject({ kind: z.literal('answer-lost'), ...running, ...often, jobKind, method }),
  z.strictObject({
    kind: z.literal('error-share'),
    ...running,
    ...often,
    share,
    jobKind,
    method,
    status: z.literal([...ERROR_STATUSES], `one of ${ERROR_STATUSES.join(', ')}`),
    retryAfter: count('whole seconds, 0 or more', 0).optional(),
    on: z.enum(['amp', 'cell'], 'amp or cell').optional(),
    processed: z.boolean('true or false').optional(),
  }),
  z.strictObject({
    kind: z.literal('not-ready-after'),
    ...where,
    ...often,
    version: text('a version'),
    delayMs: milliseconds.optional(),
  }),
  z.strictObject({ kind: z.literal('not-ready'), ...running, ...often }),
  z.strictObject({ kind: z.literal('unreachable'), ...running, ...often }),
  z.strictObject({ kind: z.literal('tenant-busy'), ...where, ...often, forMs: milliseconds }),
  z.strictObject({
    kind: z.literal('wrong-version'),
    ...running,
    ...often,
    where: z.enum(['amp', 'cell'], 'amp or cell').optional(),
    reports: text('what is reported instead').optional(),
  }),
  z.strictObject({ kind: z.literal('unknown-tenant'), ...where, ...often }),
  z.strictObject({
    kind: z.literal('wrong-cell-id'),
    ...where,
    ...often,
    reports: text('what is reported instead').optional(),
  }),
  z.strictObject({
    kind: z.literal('changed-by-hand'),
    ...where,
    version: text('a version'),
    chartVersion: text('a chart version').optional(),
    migratedVersion: text('a version').optional(),
  }),
  ...measuredSchemas,
] as const;

export const FAULT_KINDS = schemas.map((schema) => schema.shape.kind.value);

export const faultSchema = z.discriminatedUnion('kind', schemas, `one of ${FAULT_KINDS.join(', ')}`);

export type Fault = z.infer<typeof faultSchema>;
export type FaultKind = Fault['kind'];
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>;

/** Kinds that strike one cell as soon as they are added. */
const NEED_A_CELL: readonly FaultKind[] = ['tenant-busy', 'changed-by-hand'];

/** The faults of a list, or everything that is wrong with it. `isKnown` tells whether a cell or tenant exists. */
export function readFaults(
  input: unknown,
  isKnown: (which: 'cell' | 'tenant', name: string) => boolean,
): { ok: true; faults: Fault[] } | { ok: false; problems: Problem[] } {
  const parsed = z.array(faultSchema, 'a list of faults').safeParse(input);
  if (!parsed.success) return { ok: false, problems: problemsOf(parsed.error, input, 'faults') };
  const problems = parsed.data.flatMap((fault, index) => placeProblems(fault, `faults[${index}]`, isKnown));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, faults: parsed.data };
}

function placeProblems(
  fault: Fault,
  path: string,
  isKnown: (which: 'cell' | 'tenant', name: string) => boolean,
): Problem[] {
  const problems: Problem[] = [];
  for (const which of ['cell', 'tenant'] as const) {
    const name = fault[which];
    if (name !== undefined && !isKnown(which, name)) {
      problems.push({ path: `${path}.${which}`, value: JSON.stringify(name), expected: `a ${which} of the topology` });
    }
  }
  if (NEED_A_CELL.includes(fault.kind) && fault.cell === undefined && fault.tenant === undefined) {
    problems.push({ path: `${path}.cell`, value: 'nothing', expected: 'a cell or a tenant' });
  }
  return isMeasured(fault) ? [...problems, ...mismatches(fault, path)] : problems;
}

/** Fields that say nothing without another one. */
function mismatches(fault: MeasuredFault, path: string): Problem[] {
  const unless = (field: string, isFitting: boolean, expected: string): Problem[] => {
    const value: unknown = Reflect.get(fault, field);
    return value === undefined || isFitting
      ? []
      : [{ path: `${path}.${field}`, value: JSON.stringify(value), expected }];
  };
  const signal = fault.kind === 'slow-drift' ? fault.signal : undefined;
  return [
    ...unless('orNewer', fault.version !== undefined, 'a version beside it'),
    ...unless('component', signal === undefined || signal === 'saturation', 'the signal saturation beside it'),
    ...unless('type', signal !== 'saturation', 'another signal than saturation'),
  ];
}
