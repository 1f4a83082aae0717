import { userInfo } from 'node:os';
import type { CellsClient } from '../client/index.js';
import type { ExitStatus } from './exit.js';
import { UsageError } from './exit.js';
import type { Io } from './io.js';
import type { Session } from './session.js';

/** Options that every command takes. */
export interface Globals {
  json?: boolean;
  by?: string;
  url?: string;
  updateId?: string;
  address?: string;
  namespace?: string;
}

/** What a command has to say at its end: one JSON document, or lines for a person. */
export interface Outcome {
  /** Left out where the document was printed before. */
  json?: unknown;
  text: readonly string[];
  /** Go to standard error, beside either. */
  warnings?: readonly string[];
  exit?: ExitStatus;
}

/** What a command works with. */
export class Context {
  #session: Promise<Session> | null = null;

  constructor(
    readonly io: Io,
    readonly globals: Globals,
  ) {}

  get json(): boolean {
    return this.globals.json === true;
  }

  /** Who asks, as every act of a person keeps it. */
  by(): string {
    const { CELLCTL_USER, GITLAB_USER_LOGIN, USER } = this.io.env;
    const name = this.globals.by ?? (CELLCTL_USER || GITLAB_USER_LOGIN || USER || loginName());
    if (name.trim()) return name;
    throw new UsageError('Nobody knows who asks', [], ['say it with --by NAME, or set CELLCTL_USER']);
  }

  /** The fields that every act of a person takes. */
  act(reason?: string): { by: string; reason?: string; url?: string } {
    const { url } = this.globals;
    return { by: this.by(), ...(reason === undefined ? {} : { reason }), ...(url === undefined ? {} : { url }) };
  }

  async cells(): Promise<CellsClient> {
    return (await this.session()).cells;
  }

  /** Connects at the first call. */
  session(): Promise<Session> {
    const { address, namespace } = this.globals;
    this.#session ??= this.io.connect({
      ...this.io.env,
      ...(address === undefined ? {} : { TEMPORAL_ADDRESS: address }),
      ...(namespace === undefined ? {} : { TEMPORAL_NAMESPACE: namespace }),
    });
    return this.#session;
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => null);
    await session?.close();
  }

  /** The id of an act: the one given, or none. The same act a second time is a second act. */
  actId(): string | undefined {
    return this.globals.updateId;
  }

  /**
   * The id of what a pipeline asks for once, such as the deployment of a ring: the one given, or one made from what is
   * asked, so that a job that runs again gets the same answer. Never for what is switched on and off again, such as a
   * brake: Temporal would confirm it from the memory of the first time.
   */
  async askedOnceId(act: string, payload: object): Promise<string | undefined> {
    if (this.globals.updateId !== undefined) return this.globals.updateId;
    const pipeline = this.io.env.CI_PIPELINE_ID;
    if (!pipeline) return undefined;
    return (await import('../client/update-id.js')).pipelineUpdateId(pipeline, act, payload);
  }

  note(line: string): void {
    this.io.stderr.write(`${line}\n`);
  }

  print({ json, text, warnings = [] }: Outcome): void {
    for (const warning of warnings) this.note(`warning: ${warning}`);
    if (this.json) {
      if (json !== undefined) this.io.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
      return;
    }
    for (const line of text) this.io.stdout.write(`${line}\n`);
  }
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
