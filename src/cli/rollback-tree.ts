import type { SeenRollback } from '../client/index.js';
import type { ReturnPlan } from '../contract/status.js';
import { rollbackAgain } from '../domain/rollback/again.js';
import { rolloutFacts } from './facts.js';
import { line, type View } from './paint.js';
import { rolloutTree } from './tree.js';
import { nextLines, stateSegment } from './tree-parts.js';

const NAMED = 5;

/** The rollback of one package as lines no wider than the view: whose it is, how far, and what stays on it. */
export function rollbackTree(status: SeenRollback, view: View): string[] {
  const { version, state, by, reason, dryRun, plan } = status;
  const [, facts = '', ...rest] = rolloutTree(status, view);
  const what = dryRun ? 'rollback (dry run) of ' : 'rollback of ';
  return [
    line(view, [[what, 'dim'], [version, 'bold'], '  ', ...(dryRun ? [] : [stateSegment(state)])]),
    line(view, [['by ', 'dim'], `${by}: ${reason}`]),
    ...(dryRun ? planLines(plan, view) : [facts]),
    ...rest,
    ...downtimeLines(status, view),
  ];
}

/** Whoever decides that they may go down for it says so by name: all of them, whoever is shown above. */
function downtimeLines(status: SeenRollback, view: View): string[] {
  const { dryRun, plan, needsDowntime, finishedAt } = status;
  const stays = dryRun ? plan.flatMap((planned) => planned.stays) : needsDowntime;
  const cells = stays.filter((e) => e.needsDowntime).map(({ cell }) => cell);
  // One that is under way goes on as it was asked for.
  if (cells.length === 0 || finishedAt === null) return [];
  const down = rollbackAgain(status, cells);
  return [line(view, ['where they may be taken down for it:']), ...nextLines([down], view, '  ')];
}

function planLines(plan: readonly ReturnPlan[], view: View): string[] {
  if (plan.length === 0) return [line(view, ['no cell runs it'])];
  return [...plan].reverse().flatMap((ring) => ringLines(ring, view));
}

function ringLines(
  { ring, name, cells, targets, stays, staysTotal, underWay, unknown }: ReturnPlan,
  view: View,
): string[] {
  const to = Object.entries(targets).map(([version, count]) => line(view, ['  ', `${count} → ${version}`]));
  const more = staysTotal - Math.min(NAMED, stays.length);
  const also = [...(underWay > 0 ? [`${underWay} under way`] : []), ...(unknown > 0 ? [`${unknown} unknown`] : [])];
  return [
    line(view, [[`${ring} ${name}`, 'bold'], `  ${cells} run it${also.map((word) => `, ${word}`).join('')}`]),
    ...to,
    ...stays.slice(0, NAMED).map((e) => line(view, ['  ', [e.cell, 'yellow'], ` stays: ${e.reason}`])),
    ...(more > 0 ? [line(view, [[`  … and ${more} more stay`, 'dim']])] : []),
  ];
}

/** How the status of a rollback is followed. */
export const rollbackFollowing = {
  tree: rollbackTree,
  facts: rolloutFacts,
  isOver: ({ finishedAt, cutOff }: SeenRollback): boolean => finishedAt !== null || cutOff !== undefined,
};
