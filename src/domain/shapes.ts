import type { Problem } from '../contract/problem.js';
import { isPackage } from './package-version.js';
import { unpackCells } from './snapshot.js';
import { absolutePolicy, DEFAULT_POLICY } from './topology/policy.js';

/**
 * The shapes of what our own workflows say to one another, judged before anything is changed: such a signal can also be
 * sent by hand, and one that a handler trips over would wedge its run for ever.
 */

/** Longer than anything waits, and short enough for Temporal, whose timers overflow beyond 292 years. */
export const LONGEST_MS = 10 * 365 * 24 * 3_600_000;

type Judge = (value: unknown) => boolean;
type Shape = Record<string, Judge>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text: Judge = (value) => typeof value === 'string';
/** One, or a part of one: Temporal fails every task that signals a workflow whose id it does not take. */
const workflowId: Judge = (value) => typeof value === 'string' && /^[\x20-\x7e]{1,200}$/.test(value);
const number: Judge = (value) => typeof value === 'number' && Number.isFinite(value);
const ring: Judge = (value) => Number.isInteger(value) && (value as number) >= 0;
const flag: Judge = (value) => typeof value === 'boolean';
const texts: Judge = (value) => Array.isArray(value) && value.every(text);
const oneOf =
  (...words: string[]): Judge =>
  (value) =>
    words.includes(value as string);
const orNull =
  (judge: Judge): Judge =>
  (value) =>
    value === null || judge(value);
const object =
  (shape: Shape = {}): Judge =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([field, judge]) => judge(value[field]));
const packageName: Judge = (value) => typeof value === 'string' && isPackage(value);
const instant: Judge = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
/** What a Date can hold (ECMA-262, 21.4.1.1): one beyond it throws when it is written. */
const instantMs: Judge = (value) => number(value) && Math.abs(value as number) <= 8.64e15;
const durationMs: Judge = (value) => number(value) && (value as number) >= 0 && (value as number) <= LONGEST_MS;
const optional =
  (judge: Judge): Judge =>
  (value) =>
    value === undefined || judge(value);
const listOf =
  (judge: Judge): Judge =>
  (value) =>
    Array.isArray(value) && value.every(judge);

const purpose = oneOf('deploy', 'migrate', 'rollback');
const ringOrAfter: Judge = (value) => ring(value) || object({ after: orNull(ring) })(value);
const scope: Judge = (value) => oneOf('cluster', 'outer', 'package')(value) || object({ ring })(value);
const range = object({ version: packageName, fixedIn: optional(packageName) });
const brakes = listOf(
  object({
    brakeId: text,
    scope,
    mode: text,
    since: instant,
    by: text,
    reason: text,
    expiresAt: optional(instant),
    blocks: optional(range),
  }),
);
const waiting = object({ kind: text, since: instant, until: optional(instant), detail: text, next: texts });
const counts: Judge = (value) => isObject(value) && Object.values(value).every(number);
const exceptions = listOf(object({ cell: text, state: text, reason: text }));
const health = orNull(object({ windowMs: number, intervalMs: number, signals: object(), mode: text }));
const alerts: Judge = (value) => isObject(value) && Object.values(value).every(raised);
const judged = object({ healthy: number, quiet: number, unhealthy: number, inconclusive: number });
const looks = object({ spent: number, lastMs: instantMs });
const raised = object({
  alert: object({ name: text, severity: text, cluster: text, summary: text, next: texts, startedAtMs: instantMs }),
  saidAtMs: orNull(instantMs),
});
const cells: Judge = (value) => text(value) && arePackedCells(value as string);
/** Every field of a policy, each of its kind. */
const policy: Judge = (value) =>
  isObject(value) &&
  Object.entries(absolutePolicy(DEFAULT_POLICY, 0)).every(
    ([field, fallback]) => typeof value[field] === typeof fallback,
  );
const calendarWait = oneOf('deploy-window', 'freeze');
const waiver = { wait: calendarWait, untilMs: orNull(instantMs) };
const windows = listOf(object({ days: texts, from: text, to: text, timezone: text }));
const calendar = object({
  windows,
  alsoWithin: optional(windows),
  freezes: listOf(object({ from: instant, to: instant, reason: optional(text) })),
});
const word = object({
  untilMs: instantMs,
  freeze: orNull(object({ untilMs: instantMs, reason: text })),
  window: orNull(object({ untilMs: orNull(instantMs) })),
  opensMs: orNull(instantMs),
});
const problem = object({ path: text, value: text, expected: text });

const view = object({
  ring,
  name: text,
  state: text,
  total: number,
  converged: number,
  inFlight: number,
  failed: number,
  rolledBack: number,
  pending: number,
  exceptions,
  exceptionsTotal: number,
  needDowntime: optional(number),
  cellsInFlight: texts,
  waitingFor: orNull(waiting),
});

const request = {
  requestId: text,
  version: packageName,
  chartVersion: orNull(text),
  ring: ringOrAfter,
  purpose,
  lane: orNull(text),
  approved: listOf(ring),
  approvedAtMs: optional((value) => isObject(value) && Object.values(value).every(instantMs)),
  waivers: optional(listOf(object({ ring, ...waiver }))),
  sinceMs: instantMs,
  sender: optional(workflowId),
  preempt: optional(flag),
  fixes: optional(text),
};

const ofRing = { ring, name: text, soft: flag };
const ANSWERS: Record<string, Shape> = {
  granted: { ...ofRing, perimeter: flag },
  held: { ...ofRing, waiting },
  refused: {
    ...ofRing,
    code: text,
    wait: optional(calendarWait),
    detail: text,
    until: orNull(instant),
    next: texts,
    supersededBy: orNull(text),
  },
  replaced: { ...ofRing, by: text },
  none: {},
  rejected: { path: text, value: text, expected: text },
};

const brakesNumber = { epoch: text, seq: number };
const speaks = { ring, requestId: text, pass: text, version: packageName, purpose, starter: optional(workflowId) };

const SHAPES: Record<string, Shape> = {
  registerRollout: {
    version: packageName,
    run: text,
    startedAtMs: instantMs,
    chartVersion: orNull(text),
    reopen: flag,
    graduatedAt: orNull(instant),
    aborting: optional(flag),
  },
  askGraduation: {
    requestId: text,
    version: packageName,
    chartVersion: orNull(text),
    lane: orNull(text),
    by: text,
    at: instant,
    ring0: optional(text),
  },
  requestRing: request,
  claimRing: { ...request, ring, pass: orNull(text) },
  packageBrakes: { version: packageName, ...brakesNumber, brakes },
  packageBrakesKnown: { ...brakesNumber, inFlight: texts },
  askCell: { version: packageName, cell: text, rollback: optional(flag) },
  cellAnswer: { cell: text, isKnown: flag },
  askRing: { version: packageName, ring },
  ringKnown: { ring, problem: orNull(problem) },
  withdrawRequest: { requestId: text },
  askRollback: {
    version: packageName,
    run: text,
    by: text,
    reason: text,
    url: orNull(text),
    ring: orNull(ring),
    block: flag,
    dryRun: flag,
  },
  rollbackAnswer: { run: text, refused: orNull(problem), cluster: orNull(text), rings: listOf(ring) },
  rollbackEnded: {
    version: packageName,
    run: text,
    left: optional(object({ total: number, named: listOf(object({ cell: text, reason: text })), needDowntime: texts })),
  },
  takenBack: { by: text, reason: text, url: orNull(text) },
  rolloutAborting: { version: packageName, run: text },
  rolloutEnded: { version: packageName, state: text, supersededBy: orNull(text), run: text, forget: optional(flag) },
  registered: {
    endedAs: orNull(text),
    supersededBy: orNull(text),
    endedRun: orNull(text),
    conflict: orNull(problem),
    blocked: optional(orNull(object({ version: packageName }))),
    chartVersion: orNull(text),
    runsWith: optional(orNull(text)),
    cluster: optional(orNull(text)),
    graduationTimeoutMs: durationMs,
    graduatedAt: orNull(instant),
    softRings: listOf(ring),
    alsoOn: listOf(ring),
    perimeter: orNull(ring),
    holds: listOf(object({ ...ofRing, perimeter: flag, requestId: text, purpose, pass: text })),
    braked: optional(brakes),
  },
  graduationAnswer: { requestId: text, accepted: flag, rejection: orNull(problem) },
  ringAnswer: { requestId: text, kind: oneOf(...Object.keys(ANSWERS)) },
  superseded: { by: text },
  passLost: { ring, requestId: text },
  clusterStarted: {},
  enterRing: { ...speaks, starter: workflowId },
  ringReport: {
    requestId: text,
    pass: text,
    version: packageName,
    purpose,
    starter: optional(workflowId),
    view,
    observed: counts,
    observedOut: optional(counts),
    runsWith: optional(orNull(text)),
    baked: flag,
    systemic: flag,
    systemicSinceMs: optional(instantMs),
    needsDowntime: orNull(text),
    migrationFailed: texts,
    result: orNull(object({ outcome: text, reason: text })),
    ended: flag,
    retries: optional(number),
    cellMs: optional(orNull(number)),
    alerts: optional(alerts),
    packageBrakes: object({ epoch: text, brakes }),
  },
  enter: { entries: listOf(object({ id: workflowId, at: instant, kind: text, act: text, by: text })) },
  brakesHold: { ...speaks, ...brakesNumber, inFlight: texts },
  ringEntry: {
    cluster: text,
    name: text,
    policy,
    health,
    soft: flag,
    perimeter: flag,
    gated: flag,
    cellsGz: cells,
    leftOut: exceptions,
    came: optional(texts),
    alerts: optional(alerts),
    brakes,
    brakesNumber: object(brakesNumber),
    packageBrakes: optional(object({ ...brakesNumber, brakes })),
    calendar: optional(calendar),
    word: optional(word),
    refused: orNull(text),
  },
  setBrakes: { from: oneOf('cluster', 'package'), ...brakesNumber, brakes },
  stopPass: {
    outcome: oneOf('aborted', 'superseded', 'yielded'),
    by: text,
    reason: text,
    hurry: flag,
    evenRollback: optional(flag),
  },
  retryPass: { by: text, cells: orNull(texts) },
  skipInPass: { cell: text, by: text, reason: text },
  quarantineInPass: { cell: text, by: text, reason: text, out: flag },
  overrideInPass: { wait: text, waiver: optional(object(waiver)), by: text, reason: text },
  holdForward: { held: orNull(object({ reason: text, sinceMs: instantMs, ring: optional(ring) })) },
  checkInPass: { name: text, outcome: oneOf('passed', 'failed'), by: text },
  bakedEverywhere: {},
  cellsLeft: { cells: texts },
  reportNow: {},
  ringGate: { detail: text },
  ringChecks: { detail: orNull(text), against: optional(texts) },
  ringHealth: {
    verdict: text,
    scope: text,
    sentence: text,
    atMs: instantMs,
    evidence: listOf(object({})),
    unknown: optional(texts),
    unmeasured: optional(flag),
    looks: optional(looks),
    cells: optional(judged),
  },
  cellNote: { cell: workflowId, version: optional(packageName), trouble: orNull(object({ kind: text, detail: text })) },
  hurry: {},
  standDown: {},
  cellOrders: { cell: text },
  standAside: { version: packageName },
};

const cellRef = object({ id: text, tenant: text, url: text });

/** The arguments of the workflows that only our own code starts: whoever starts one by hand may get them wrong. */
const ARGUMENTS: Record<string, Shape> = {
  RingRollout: {
    ring,
    version: packageName,
    chartVersion: orNull(text),
    purpose,
    lane: orNull(text),
    requestId: text,
    starter: workflowId,
    packageBrakes: brakes,
    packageBrakesNumber: object(brakesNumber),
    skips: listOf(object({ cell: text, by: text, reason: text })),
    failedChecks: object(),
    overridden: texts,
    waivers: optional(listOf(object(waiver))),
    holdForward: orNull(object({ reason: text, sinceMs: instantMs, ring: optional(ring) })),
    leftBehind: exceptions,
    migrationFailed: texts,
    mend: flag,
    afterLoss: flag,
    reason: text,
    back: optional(object({ allowDowntime: texts, toBlocked: flag, tries: number })),
    entry: optional((value) => object(SHAPES.ringEntry)(value)),
  },
  CellRollout: {
    cluster: text,
    ring,
    pass: text,
    passWorkflowId: workflowId,
    purpose,
    cell: cellRef,
    witness: orNull(cellRef),
    version: packageName,
    chartVersion: orNull(text),
    expectedVersion: orNull(text),
    policy,
    health,
    order: number,
    lane: orNull(text),
    reason: text,
    back: optional(object({ mayTakeDown: flag, notTo: listOf(range), tries: number })),
  },
};

/** What is wrong with the argument of one of these workflows, or null. */
export const misfitArgument = (workflow: keyof typeof ARGUMENTS, argument: unknown): Problem | null =>
  judgeShape(ARGUMENTS[workflow] ?? {}, argument, `the argument that the coordinator gives a ${workflow}`);

/** What is wrong with one of our own messages, or null. A name without a shape is none of ours. */
export function misfit(name: string, payload: unknown): Problem | null {
  const shape = SHAPES[name];
  if (!shape) return null;
  if (Object.keys(shape).length === 0) return null;
  const answer = name === 'ringAnswer' && isObject(payload) ? ANSWERS[String(payload.kind)] : {};
  return judgeShape({ ...shape, ...answer }, payload, `what the coordinator itself sends as ${name}`);
}

/** Whether a message to a pass is for the one of this request; one that names none is for whichever there is. */
export const isMeantFor = (requestId: string, message: unknown): boolean =>
  !isObject(message) || message.requestId === undefined || message.requestId === requestId;

function judgeShape(shape: Shape, payload: unknown, expected: string): Problem | null {
  if (!isObject(payload)) return { path: '', value: short(payload), expected };
  const wrong = Object.entries(shape).find(([field, judge]) => !judge(payload[field]));
  return wrong ? { path: wrong[0], value: short(payload[wrong[0]]), expected } : null;
}

function arePackedCells(packed: string): boolean {
  try {
    return unpackCells(packed).every(object({ id: text, tenant: text, url: text }));
  } catch {
    return false;
  }
}

const short = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 200);
