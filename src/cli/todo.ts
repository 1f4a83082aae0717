import { isClientError } from '../client/errors.js';
import { type Todo, todosOf } from '../domain/todo.js';
import type { Context, Outcome } from './context.js';
import { line, type View, wrapped } from './paint.js';
import { viewOf } from './show.js';
import { ago } from './time.js';
import { nextLines } from './tree-parts.js';

const MAX_ROLLOUTS = 200;
const AT_ONCE = 10;

/** Everything that waits for a person, oldest first. */
export async function showTodo(context: Context, team: string | undefined): Promise<Outcome> {
  const cells = await context.cells();
  const [cluster, open] = await Promise.all([
    cells.cluster().status(),
    cells.listRollouts({ open: true, limit: MAX_ROLLOUTS }),
  ]);
  const [rollouts, rollbacks] = await Promise.all([
    statusesOf(open, ({ version }) => cells.rollout(version)),
    statusesOf(cluster.rollbacks ?? [], ({ version }) => cells.rollback(version)),
  ]);
  const all = todosOf(cluster, { rollouts, rollbacks }, context.io.now());
  const todos = team === undefined ? all : all.filter((todo) => todo.team === team);
  const view = await viewOf(context.io);
  const text = todos.length === 0 ? ['nothing waits for a person'] : todos.flatMap((todo) => linesOf(todo, view));
  return { json: todos, text };
}

interface Asked<S> {
  status(): Promise<S>;
}

async function statusesOf<O, S>(open: readonly O[], clientOf: (one: O) => Asked<S>): Promise<S[]> {
  const found: S[] = [];
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const batch = open.slice(at, at + AT_ONCE).map((one) => statusOf(clientOf(one)));
    found.push(...(await Promise.all(batch)).flatMap((status) => status ?? []));
  }
  return found;
}

/** What ends while it is asked waits for nobody any more. */
async function statusOf<S>(client: Asked<S>): Promise<S | null> {
  try {
    return await client.status();
  } catch (error) {
    if (isClientError(error) && error.name === 'NotFoundError') return null;
    throw error;
  }
}

function linesOf({ kind, team, since, detail, ring, version, next }: Todo, view: View): string[] {
  const where = [ring === undefined ? '' : ` ring ${ring}`, version === undefined ? '' : ` ${version}`].join('');
  return [
    line(view, [[kind, 'bold', 'yellow'], where, [`  ${team}, ${ago(since, view.now)}`, 'dim']]),
    ...wrapped(view, '  ', detail),
    ...nextLines(next, view, '  '),
  ];
}
