import { isPackage } from '../domain/package-version.js';
import { lazily } from './lazily.js';
import { z } from './zod.js';

/**
 * What people and release-tools send: payload schemas of every signal and update, exact as in the contract.
 * Objects are strict, so that a misspelt field is refused instead of silently ignored.
 *
 * Each is built when it is first used: every run of a workflow evaluates its modules anew, and a cell's run needs none
 * of them.
 */

const EXAMPLE = '17.10.202503180906-6a387d336a7.c1c3e017782';

export const OVERRIDABLE_WAITS = [
  'bake',
  'health',
  'deploy-window',
  'freeze',
  'approval',
  'check',
  'grace-period',
] as const;

const fields = lazily(() => ({
  /** `2026-12-23T00:00:00Z`, `2026-12-23T01:00:00+01:00`: RFC 3339, with its offset. */
  instant: z.iso.datetime({
    offset: true,
    error: 'an RFC 3339 instant with its offset, e.g. 2026-12-23T00:00:00Z',
  }),
  by: z.string('the name of who asks').trim().min(1, 'the name of who asks').max(200, 'at most 200 characters'),
  reason: z.string('a reason').trim().min(1, 'a reason').max(2000, 'at most 2000 characters'),
  url: z
    .url({ protocol: /^https?$/, error: 'an http(s) link to an incident or a change' })
    .max(2000, 'at most 2000 characters')
    .optional(),
  version: z.string(`a package such as ${EXAMPLE}`).refine(isPackage, `a package such as ${EXAMPLE}`),
  ring: z.number('a ring number').int('a whole ring number').min(0, 'a ring number from 0'),
  cell: z.string('a cell id').regex(/^[a-z0-9-]{1,63}$/, 'a cell id: [a-z0-9-]{1,63}'),
  chartVersion: z
    .string('a chart version')
    .regex(/^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$/, 'a chart version such as 8.10.3')
    .optional(),
  brakeId: z
    .string('a brake id')
    .regex(/^[A-Za-z0-9._:-]{1,100}$/, 'a brake id: 1 to 100 of A-Z a-z 0-9 . _ : -')
    .optional(),
  brakeMode: z
    .enum(['finish-ring', 'finish-cells', 'cancel-cells'], 'finish-ring, finish-cells or cancel-cells')
    .optional(),
  lane: z
    .string('a lane')
    .regex(/^[a-z0-9-]{1,63}$/, 'the name of a lane of the topology')
    .optional(),
}));

export const packageRolloutArgument = lazily(() => {
  const { version, chartVersion } = fields();
  return z.strictObject({ version, chartVersion }, 'an object {version, chartVersion?}');
});

export const deployRing = lazily(() => {
  const { ring, by, url } = fields();
  return z.strictObject({
    ring,
    by,
    fixes: z.string('what it fixes').trim().min(1, 'what it fixes').max(2000, 'at most 2000 characters').optional(),
    url,
  });
});

export const migrateRing = lazily(() => {
  const { ring, by, url } = fields();
  return z.strictObject({ ring, by, url });
});

export const graduate = lazily(() => {
  const { by, lane, chartVersion, instant, reason, url } = fields();
  const preempt = z.boolean('true or false').optional();
  return z.strictObject({
    by,
    lane,
    chartVersion,
    preempt,
    pdmCompletedAt: instant.optional(),
    reason: reason.optional(),
    url,
  });
});

export const recordCheck = lazily(() => {
  const { ring, by, url } = fields();
  const name = z
    .string('the name of the check')
    .trim()
    .min(1, 'the name of the check')
    .max(200, 'at most 200 characters');
  return z.strictObject({ ring, name, outcome: z.enum(['passed', 'failed'], 'passed or failed'), by, url });
});

export const engageBrake = lazily(() => {
  const { by, reason, brakeId, brakeMode, instant, url } = fields();
  return z.strictObject({ by, reason, brakeId, mode: brakeMode, expiresAt: instant.optional(), url });
});

export const engageClusterBrake = lazily(() => {
  const { ring } = fields();
  const expected = '"cluster", "outer" or {"ring": n}';
  const scope = z.union([z.enum(['cluster', 'outer']), z.strictObject({ ring })], expected).optional();
  return engageBrake().extend({ scope });
});

export const releaseBrake = lazily(() => {
  const { by, brakeId, reason, url } = fields();
  return z.strictObject({ by, brakeId, reason: reason.optional(), url });
});

export const approveRing = lazily(() => {
  const { ring, by, reason, url } = fields();
  return z.strictObject({ ring, by, reason: reason.optional(), url });
});

export const override = lazily(() => {
  const { ring, by, reason, url } = fields();
  const wait = z.enum(OVERRIDABLE_WAITS, `one of ${OVERRIDABLE_WAITS.join(', ')}`);
  return z.strictObject({ wait, ring, by, reason, url });
});

export const retryRing = lazily(() => {
  const { ring, by, cell, reason, url } = fields();
  const cells = z.array(cell, 'a list of cell ids').min(1, 'at least one cell').max(10_000, 'at most 10000 cells');
  return z.strictObject({ ring, by, cells: cells.optional(), reason: reason.optional(), url });
});

export const skipCell = lazily(() => {
  const { cell, by, reason, url } = fields();
  return z.strictObject({ cell, by, reason, url });
});

export const abort = lazily(() => {
  const { by, reason, url } = fields();
  return z.strictObject({ by, reason, rollback: z.boolean('true or false').optional(), url });
});

export const restart = lazily(() => {
  const { by, reason, url } = fields();
  return z.strictObject({ by, reason, url });
});

export const quarantineCell = lazily(() => {
  const { cell, by, reason, instant, url } = fields();
  return z.strictObject({ cell, by, reason, expiresAt: instant.optional(), url });
});

export const readmitCell = lazily(() => {
  const { cell, by, reason, url } = fields();
  return z.strictObject({ cell, by, reason, url });
});

export const resumeAutoDeploy = lazily(() => {
  const { by, reason, instant, url } = fields();
  return z.strictObject({ by, reason, expiresAt: instant.optional(), url });
});

export const blockVersion = lazily(() => {
  const { version, by, reason, url } = fields();
  return z.strictObject({ version, by, reason, fixedIn: version.optional(), url });
});

export const unblockVersion = lazily(() => {
  const { version, by, reason, url } = fields();
  return z.strictObject({ version, by, reason, url });
});

export const packageRollbackArgument = lazily(() => {
  const { version, by, reason, url, ring, cell } = fields();
  const flag = z.boolean('true or false').optional();
  const allowDowntime = z.array(cell, 'a list of cell ids').max(10_000, 'at most 10000 cells').optional();
  return z.strictObject(
    { version, by, reason, url, ring: ring.optional(), block: flag, allowDowntime, toBlocked: flag, dryRun: flag },
    'an object {version, by, reason, url?, ring?, block?, allowDowntime?, toBlocked?, dryRun?}',
  );
});

/** `abort` of a `PackageRollback`: there is nothing to take back from it. */
export const abortRollback = lazily(() => {
  const { by, reason, url } = fields();
  return z.strictObject({ by, reason, url });
});

const GZIP = 'base64 of the gzipped JSON of a topology';

export const applyTopology = lazily(() => {
  const { by, reason, url } = fields();
  const revision = z.number('a topology revision').int('a whole revision').min(0, 'a revision from 0');
  return z
    .strictObject({
      topology: z.unknown().optional(),
      gzip: z
        .string(GZIP)
        .regex(/^[A-Za-z0-9+/]+={0,2}$/, GZIP)
        .optional(),
      by,
      expectRevision: revision.optional(),
      allowRemoval: z.boolean('true or false').optional(),
      /** Our addition: the first look's own brake, `cold-start`, is not engaged. */
      releaseColdStart: z.boolean('true or false').optional(),
      reason: reason.optional(),
      url,
    })
    .refine((m) => (m.topology === undefined) !== (m.gzip === undefined), {
      path: ['topology'],
      message: 'either `topology` or `gzip`, one of the two',
    });
});

export const reconcile = lazily(() => {
  const { ring, by, cell, reason, url } = fields();
  const cells = z.array(cell, 'a list of cell ids').min(1, 'at least one cell').max(500, 'at most 500 cells');
  return z.strictObject({ ring: ring.optional(), cells: cells.optional(), by, reason: reason.optional(), url });
});

/** Of a query: whether a package, or a newer one, is on every cell of these rings. */
export const isEverywhere = lazily(() => {
  const { version, ring } = fields();
  const rings = z.array(ring, 'a list of ring numbers').min(1, 'at least one ring').optional();
  return z.strictObject({ version, rings, ignoreQuarantined: z.boolean('true or false').optional() });
});

/** Query `forecast` of `CellCluster`; `planned`: as if the package graduated now, with this lane. */
export const forecast = lazily(() => {
  const { version, lane } = fields();
  return z.strictObject({ version, lane: lane.optional(), planned: z.boolean('true or false').optional() });
});

export type AskForecast = z.infer<ReturnType<typeof forecast>>;
export type IsEverywhere = z.infer<ReturnType<typeof isEverywhere>>;
export type DeployRing = z.infer<ReturnType<typeof deployRing>>;
export type MigrateRing = z.infer<ReturnType<typeof migrateRing>>;
export type Graduate = z.infer<ReturnType<typeof graduate>>;
export type RecordCheck = z.infer<ReturnType<typeof recordCheck>>;
export type EngageBrake = z.infer<ReturnType<typeof engageBrake>>;
export type EngageClusterBrake = z.infer<ReturnType<typeof engageClusterBrake>>;
export type ReleaseBrake = z.infer<ReturnType<typeof releaseBrake>>;
export type ApproveRing = z.infer<ReturnType<typeof approveRing>>;
export type Override = z.infer<ReturnType<typeof override>>;
export type OverridableWait = (typeof OVERRIDABLE_WAITS)[number];
export type RetryRing = z.infer<ReturnType<typeof retryRing>>;
export type SkipCell = z.infer<ReturnType<typeof skipCell>>;
export type Abort = z.infer<ReturnType<typeof abort>>;
export type Restart = z.infer<ReturnType<typeof restart>>;
export type PackageRollbackArgument = z.infer<ReturnType<typeof packageRollbackArgument>>;
export type AbortRollback = z.infer<ReturnType<typeof abortRollback>>;
export type Reconcile = z.infer<ReturnType<typeof reconcile>>;
export type QuarantineCell = z.infer<ReturnType<typeof quarantineCell>>;
export type ReadmitCell = z.infer<ReturnType<typeof readmitCell>>;
export type ResumeAutoDeploy = z.infer<ReturnType<typeof resumeAutoDeploy>>;
export type BlockVersion = z.infer<ReturnType<typeof blockVersion>>;
export type UnblockVersion = z.infer<ReturnType<typeof unblockVersion>>;
export type ApplyTopology = z.infer<ReturnType<typeof applyTopology>>;

/** Largest topology payload that is accepted, in bytes: a larger one would end the workflow. */
export const MAX_TOPOLOGY_BYTES = 512 * 1024;
