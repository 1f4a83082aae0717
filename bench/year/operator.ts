import { setTimeout as sleep } from 'node:timers/promises';
import type { Io } from '../../src/cli/io.js';
import { main as cellctl } from '../../src/cli/main.js';
import type { Session } from '../../src/cli/session.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import type { Todo } from '../../src/domain/todo.js';
import type { Stage } from '../support/stage.js';
import type { Diary } from './diary.js';
import type { SimulatedTime } from './time.js';

/** How often the list is read, and how long it takes a person to come to what stands there, in simulated hours. */
const READ_EVERY_H = 6;
const REACTION_H = 3;
/** Who has typed the same so often waits for others. */
const MOST_TRIES = 6;
/** Nobody repeats a command before the one before it has had its chance: simulated hours. */
const PATIENCE_H = 12;
const REASON = 'looked into it';

/** Who is on call: reads `cellctl todo`, and types what it says. */
export class Operator {
  readonly #seen = new Map<string, { sinceMs: number; actedMs: number; tries: number }>();
  #isOver = false;

  constructor(
    private readonly stage: Stage,
    private readonly session: Session,
    private readonly time: SimulatedTime,
    private readonly diary: Diary,
  ) {}

  /** Until `stop`. */
  async watch(): Promise<void> {
    while (!this.#isOver) {
      await sleep(this.time.realOf(READ_EVERY_H));
      try {
        for (const todo of await this.todos()) await this.#consider(todo);
      } catch (error) {
        this.diary.trouble('todo', error);
      }
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  async todos(): Promise<Todo[]> {
    const { exit, out, err } = await this.#run(['todo', '--json']);
    if (exit !== 0) throw new Error(`cellctl todo ends with ${exit}: ${err}${out}`);
    return JSON.parse(out) as Todo[];
  }

  async #consider(todo: Todo): Promise<void> {
    const key = [todo.kind, todo.version, todo.ring, todo.cell].join(' ');
    const now = Date.now();
    const known = this.#seen.get(key) ?? { sinceMs: now, actedMs: 0, tries: 0 };
    this.#seen.set(key, known);
    if (this.time.hoursOf(now - known.sinceMs) < REACTION_H) return;
    if (known.tries === MOST_TRIES) return;
    if (known.actedMs > 0 && this.time.hoursOf(now - known.actedMs) < PATIENCE_H) return;
    const line = commandFor(todo, known.tries);
    if (line === null) return;
    known.actedMs = now;
    known.tries += 1;
    await this.type(line, todo);
  }

  /** Types a command that `cellctl` has shown. */
  async type(
    line: string,
    { kind, version, ring, cell }: Pick<Todo, 'kind' | 'version' | 'ring' | 'cell'>,
  ): Promise<void> {
    const args = (line.match(/"[^"]*"|\S+/g) ?? []).slice(1).map((word) => (word === '"…"' ? REASON : word));
    const atMs = Date.now();
    const { exit, out, err } = await this.#run(args);
    const about = {
      ...(version === undefined ? {} : { version }),
      ...(ring === undefined ? {} : { ring }),
      ...(cell === undefined ? {} : { cell }),
    };
    const said = exit === 0 ? '' : `${err}${out}`.trim().slice(0, 300);
    this.diary.typed.push({ atMs, kind, verb: args[0] ?? '', line, exit, said, ...about });
  }

  async #run(args: string[]): Promise<{ exit: number; out: string; err: string }> {
    let [out, err] = ['', ''];
    const io: Io = {
      env: { ...this.stage.env, CELLCTL_USER: 'on-call' },
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      now: Date.now,
      connect: async () => this.session,
      interrupted: () => new Promise(() => {}),
    };
    const exit = await cellctl(args, io);
    return { exit, out, err };
  }
}

/**
 * What a person would pick of the commands shown: first try again, then go on without the cell, in the end take the package
 * back. Null: nothing yet, or never.
 */
function commandFor({ kind, next, detail }: Todo, tries: number): string | null {
  const shown = (verb: string) => next.find((line) => line.startsWith(`cellctl ${verb} `)) ?? null;
  switch (kind) {
    case 'operator':
      if (tries === 0) return shown('retry') ?? shown('approve') ?? shown('unblock');
      if (tries === 1) return shown('skip') ?? shown('retry') ?? shown('abort');
      return shown('rollback') ?? shown('abort');
    case 'brake':
      // What a person put on, that person takes off.
      return detail.includes('by the coordinator') || detail.includes(COORDINATOR) ? shown('brake off') : null;
    case 'approval':
      return shown('approve');
    case 'cell':
    case 'changed-by-hand':
      return shown('cluster reconcile') ?? shown('retry');
    case 'auto-deploy':
      return shown('resume');
    case 'quarantine':
      return shown('readmit');
    case 'health':
      return shown('override');
    default:
      return null;
  }
}
