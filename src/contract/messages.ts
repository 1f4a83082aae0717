import { isPackage } from '../domain/package-version.js';
import { z } from './zod.js';

/**
 * What people and release-tools send: payload schemas of every signal and update, exact as in the contract.
 * Objects are strict, so that a misspelt field is refused instead of silently ignored.
 */

const EXAMPLE = '17.10.202503180906-6a387d336a7.c1c3e017782';

/** `2026-12-23T00:00:00Z`, `2026-12-23T01:00:00+01:00`: RFC 3339, with its offset. */
const instant = z.iso.datetime({
  offset: true,
  error: 'an RFC 3339 instant with its offset, e.g. 2026-12-23T00:00:00Z',
});

const by = z.string('the name of who asks').trim().min(1, 'the name of who asks').max(200, 'at most 200 characters');
const reason = z.string('a reason').trim().min(1, 'a reason').max(2000, 'at most 2000 characters');
const url = z.url({ protocol: /^https?$/, error: 'an http(s) link to an incident or a change' }).max(2000);
const version = z.string(`a package such as ${EXAMPLE}`).refine(isPackage, `a package such as ${EXAMPLE}`);
const ring = z.number('a ring number').int('a whole ring number').min(0, 'a ring number from 0');
const cell = z.string('a cell id').regex(/^[a-z0-9-]{1,63}$/, 'a cell id: [a-z0-9-]{1,63}');
const chartVersion = z
  .string('a chart version')
  .regex(/^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$/, 'a chart version such as 8.10.3');
const brakeId = z.string('a brake id').regex(/^[A-Za-z0-9._:-]{1,100}$/, 'a brake id: 1 to 100 of A-Z a-z 0-9 . _ : -');
const brakeMode = z.enum(['finish-ring', 'finish-cells', 'cancel-cells'], 'finish-ring, finish-cells or cancel-cells');
const laneName = z.string('a lane').regex(/^[a-z0-9-]{1,63}$/, 'the name of a lane of the topology');

export const OVERRIDABLE_WAITS = [
  'bake',
  'health',
  'deploy-window',
  'freeze',
  'approval',
  'check',
  'grace-period',
] as const;

export const packageRolloutArgument = z.strictObject(
  { version, chartVersion: chartVersion.optional() },
  'an object {version, chartVersion?}',
);

export const deployRing = z.strictObject({ ring, by, fixes: z.string().max(2000).optional(), url: url.optional() });
export const migrateRing = z.strictObject({ ring, by, url: url.optional() });
export const graduate = z.strictObject({
  by,
  lane: laneName.optional(),
  chartVersion: chartVersion.optional(),
  preempt: z.boolean().optional(),
  pdmCompletedAt: instant.optional(),
  reason: reason.optional(),
  url: url.optional(),
});
export const recordCheck = z.strictObject({
  ring,
  name: z.string('the name of the check').trim().min(1).max(200),
  outcome: z.enum(['passed', 'failed'], 'passed or failed'),
  by,
  url: url.optional(),
});
export const engageBrake = z.strictObject({
  by,
  reason,
  brakeId: brakeId.optional(),
  mode: brakeMode.optional(),
  expiresAt: instant.optional(),
  url: url.optional(),
});
export const engageClusterBrake = engageBrake.extend({
  scope: z
    .union([z.enum(['cluster', 'outer']), z.strictObject({ ring })], '"cluster", "outer" or {"ring": n}')
    .optional(),
});
export const releaseBrake = z.strictObject({
  by,
  brakeId: brakeId.optional(),
  reason: reason.optional(),
  url: url.optional(),
});
export const approveRing = z.strictObject({ ring, by, reason: reason.optional(), url: url.optional() });
export const override = z.strictObject({
  wait: z.enum(OVERRIDABLE_WAITS, `one of ${OVERRIDABLE_WAITS.join(', ')}`),
  ring,
  by,
  reason,
  url: url.optional(),
});
export const retryRing = z.strictObject({
  ring,
  by,
  cells: z.array(cell).min(1).max(10_000).optional(),
  reason: reason.optional(),
  url: url.optional(),
});
export const skipCell = z.strictObject({ cell, by, reason, url: url.optional() });
export const abort = z.strictObject({ by, reason, rollback: z.boolean().optional(), url: url.optional() });
export const restart = z.strictObject({ by, reason, url: url.optional() });

const expectRevision = z.number('a topology revision').int().min(0).optional();
export const applyTopology = z
  .strictObject({
    topology: z.unknown().optional(),
    gzip: z.base64('base64 of the gzipped JSON of a topology').optional(),
    by,
    expectRevision,
    allowRemoval: z.boolean().optional(),
    releaseColdStart: z.boolean().optional(),
    reason: reason.optional(),
    url: url.optional(),
  })
  .refine((m) => (m.topology === undefined) !== (m.gzip === undefined), {
    path: ['topology'],
    message: 'either `topology` or `gzip`, one of the two',
  });

export type DeployRing = z.infer<typeof deployRing>;
export type MigrateRing = z.infer<typeof migrateRing>;
export type Graduate = z.infer<typeof graduate>;
export type RecordCheck = z.infer<typeof recordCheck>;
export type EngageBrake = z.infer<typeof engageBrake>;
export type EngageClusterBrake = z.infer<typeof engageClusterBrake>;
export type ReleaseBrake = z.infer<typeof releaseBrake>;
export type ApproveRing = z.infer<typeof approveRing>;
export type Override = z.infer<typeof override>;
export type OverridableWait = (typeof OVERRIDABLE_WAITS)[number];
export type RetryRing = z.infer<typeof retryRing>;
export type SkipCell = z.infer<typeof skipCell>;
export type Abort = z.infer<typeof abort>;
export type Restart = z.infer<typeof restart>;
export type ApplyTopology = z.infer<typeof applyTopology>;

/** Largest topology payload that is accepted, in bytes: a larger one would end the workflow. */
export const MAX_TOPOLOGY_BYTES = 512 * 1024;
