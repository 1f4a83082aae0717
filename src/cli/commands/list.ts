import { type Command, Option } from 'commander';
import { count } from '../arguments.js';
import type { Context, Outcome } from '../context.js';
import type { Run } from '../program.js';

interface ListOptions {
  open?: boolean;
  limit: number;
}

export function listCommands(program: Command, run: Run): void {
  program
    .command('rollouts')
    .description('the rollouts of packages, newest first')
    .option('--open', 'only those under way')
    .option('--limit <n>', 'at most so many', count, 20)
    .action((options: ListOptions) => run((context) => rollouts(context, options)));

  program
    .command('todo')
    .description('everything that waits for a person, oldest first, with the commands that would end it')
    .addOption(new Option('--team <team>', 'only what this team looks after').choices(['release-managers', 'ops']))
    .action(({ team }: { team?: string }) =>
      run(async (context) => (await import('../todo.js')).showTodo(context, team)),
    );
}

async function rollouts(context: Context, options: ListOptions): Promise<Outcome> {
  const found = await (await context.cells()).listRollouts(options);
  if (found.length === 0) {
    const hint = 'cellctl deploy --ring 0 VERSION starts one';
    return { json: [], text: [`there are no rollouts${options.open ? ' under way' : ''}; ${hint}`] };
  }
  const [{ table }, { ago }] = await Promise.all([import('../table.js'), import('../time.js')]);
  const now = context.io.now();
  const rows = found.map((r) => [
    r.version,
    r.cutOff ?? r.state ?? (r.open ? 'starting' : 'ended'),
    r.ring === null ? '' : String(r.ring),
    ago(r.startedAt, now),
    r.endedAt === null ? '' : ago(r.endedAt, now),
  ]);
  return { json: found, text: table(['VERSION', 'STATE', 'RING', 'STARTED', 'ENDED'], rows) };
}
