import type { ApplyTopologyResult } from '../../src/contract/status.js';
import type { ActRecord, LoggedJob } from '../invariants/index.js';
import { type ActPlan, cellAt, PACKAGES, type Plan, pick, ringsOf } from './plan.js';
import { faultOf, type Played } from './play.js';

/** A failed run for people: how to see it again, what was planned, what is wrong, and what happened in order. */
export function report(played: Played, seed: number, path: string): string {
  const again = `PROPERTY_SEED=${seed} PROPERTY_PATH=${path} npx vitest run test/property`;
  return [
    `run ${path} of seed ${seed} shows what must not be. Again: ${again} (smaller: with PROPERTY_SHRINK=1)`,
    ...section('what is wrong', played.problems),
    ...section('the plan', planLines(played.plan)),
    ...section('what happened', timeline(played)),
    ...section('how it ended', endLines(played)),
  ].join('\n');
}

const section = (title: string, lines: string[]): string[] => ['', `${title}:`, ...lines.map((line) => `  ${line}`)];

const NAMES: Record<string, string> = Object.fromEntries(PACKAGES.map((version, i) => [version, `V${i + 1}`]));
const named = (text: string): string =>
  Object.entries(NAMES).reduce((said, [version, name]) => said.replaceAll(version, name), text);

/** What every policy of a plan says unless it says otherwise. */
const USUAL: Record<string, unknown> = {
  firstCells: 1,
  failureBudget: 0,
  strictBudget: false,
  bakeTime: '0s',
  gracePeriod: '0s',
  postDeployMigrations: 'separate',
  autoRollback: 'cell',
  onFailure: 'block',
  downtimeRollback: 'never',
  migrateWhen: 'grace',
  approval: 'none',
  deployToUnhealthy: false,
  scope: 'application',
};

export function planLines(plan: Plan): string[] {
  const rings = plan.rings.map(({ cells, policy }, i) => {
    const said = Object.entries(policy).filter(([field, value]) => USUAL[field] !== value);
    return `ring ${ringsOf(plan)[i]}: ${cells} cells; ${said.map(([field, value]) => `${field} ${value}`).join(', ')}`;
  });
  const faults = plan.faults.map(
    (fault) => `${stamp(fault.atMs)} fault ${named(JSON.stringify(faultOf(plan, fault)))}`,
  );
  const acts = plan.acts.map((act) => `${stamp(act.atMs)} ${actWords(plan, act)}`);
  const kills = plan.kills.map((atMs) => `${stamp(atMs)} the worker, a process of its own, is killed`);
  return [...rings, `jobs take about ${plan.jobMs} ms`, ...faults, ...acts, ...kills, `in the end: ${plan.ending}`];
}

function actWords(plan: Plan, { act, pack, ring, cell, more }: ActPlan): string {
  const about: Record<string, string> = {
    retryRing: `ring ${pick(ringsOf(plan), ring)}`,
    rollback: `ring ${pick(ringsOf(plan), ring)}`,
    applyTopology: `${cellAt(plan, cell)}, ring ${pick(ringsOf(plan), ring)}`,
    approveRing: `ring ${pick(ringsOf(plan), ring)}`,
    override: `ring ${pick(ringsOf(plan), ring)}`,
    engageBrake: `ring ${pick(ringsOf(plan), ring)}`,
    skipCell: cellAt(plan, cell),
    quarantineCell: cellAt(plan, cell),
    readmitCell: cellAt(plan, cell),
    deployRing: 'ring 0',
  };
  const details = Object.keys(more).length > 0 ? JSON.stringify(more) : '';
  return [act, `V${(pack % PACKAGES.length) + 1}`, about[act] ?? '', details].filter((word) => word !== '').join(' ');
}

function timeline({ startedMs, killedMs, evidence }: Played): string[] {
  if (!evidence) return ['nobody could be asked'];
  const entries = [
    ...evidence.jobs.flatMap((job) => jobEntries(job)),
    ...evidence.acts.flatMap(actEntries),
    ...killedMs.map((atMs) => ({ atMs, text: 'the worker is killed' })),
  ];
  return entries.sort((a, b) => a.atMs - b.atMs).map(({ atMs, text }) => `${stamp(atMs - startedMs)} ${named(text)}`);
}

interface Entry {
  atMs: number;
  text: string;
}

function jobEntries(job: LoggedJob): Entry[] {
  const what = `${job.id} ${job.kind} ${job.version} on ${job.tenant.replace(/^t-/, '')}`;
  const entries = [{ atMs: Date.parse(job.created_at), text: `${what} (from ${job.from_version})` }];
  if (job.finished_at) entries.push({ atMs: Date.parse(job.finished_at), text: `  ${job.id} ${job.state}` });
  return entries;
}

function actEntries(act: ActRecord): Entry[] {
  // A whole topology says less than its changes, which are in the answer.
  const details = act.act === 'applyTopology' ? '' : JSON.stringify(act.payload);
  const what = `${act.act} ${act.version ?? 'cluster'} ${details}`;
  const asked = { atMs: act.askedAt, text: `${what} asked` };
  if (act.answeredAt === null) return [asked];
  return [asked, { atMs: act.answeredAt, text: `  ${act.act} ${act.version ?? 'cluster'} ${outcomeOf(act)}` }];
}

function outcomeOf({ act, error, answer }: ActRecord): string {
  if (error !== undefined) return `refused: ${error.replaceAll('\n', ' ')}`;
  const says = act === 'applyTopology' ? (answer as ApplyTopologyResult).changes : answer;
  return ['engageBrake', 'rollback', 'applyTopology'].includes(act) ? `answered ${JSON.stringify(says)}` : 'answered';
}

function endLines({ evidence }: Played): string[] {
  return Object.entries(evidence?.statuses ?? {}).map(([version, { state, rings }]) => {
    const parts = rings.map((r) => `ring ${r.ring} ${JSON.stringify({ ...r, cellsInFlight: undefined })}`);
    return named(`${version} ${state}; ${parts.join('; ')}`);
  });
}

const stamp = (ms: number): string => `${ms < 0 ? '-' : '+'}${(Math.abs(ms) / 1_000).toFixed(3)}s`.padStart(9);
