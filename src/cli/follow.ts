import { setTimeout as sleep } from 'node:timers/promises';
import { UnreachableError } from '../client/errors.js';
import { changedFacts, type Facts } from './facts.js';
import { hasColours, type Io, isLive } from './io.js';
import { NO_COLOURS, type View } from './paint.js';
import { clock } from './time.js';

export interface FollowOptions<S> {
  io: Io;
  read: () => Promise<S>;
  tree: (status: S, view: View) => string[];
  facts: (status: S) => Facts;
  isOver: (status: S) => boolean;
  /** Ends the following too, whatever comes of it. */
  until?: Promise<unknown>;
  /** Shows nothing, and only waits. */
  quiet?: boolean;
  everyMs?: number;
}

const EVERY_MS = 1_000;
const DEFAULT_WIDTH = 100;

/**
 * Shows a status until it is over: redrawn in place on a terminal, elsewhere a line for each change. Temporal or a
 * worker being away for a while is shown, and waited out. Answers the last status, or null where there was none.
 */
export async function follow<S>(options: FollowOptions<S>): Promise<S | null> {
  const { read, isOver, everyMs = EVERY_MS } = options;
  const end = new AbortController();
  // Before anything is awaited: what ends the following may fail at once, and somebody must have listened.
  options.until?.then(
    () => end.abort(),
    () => end.abort(),
  );
  const screen = await screenFor(options);
  let last: S | null = null;
  try {
    for (;;) {
      try {
        last = await read();
        screen.show(last);
        if (isOver(last)) return last;
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        screen.trouble(error.message);
      }
      await sleep(everyMs, undefined, { signal: end.signal }).catch(() => {});
      if (end.signal.aborted) return await finalLook(options, screen, last);
    }
  } finally {
    screen.done();
  }
}

/** Shows how it ended; that it cannot be shown takes nothing from the answer that ended it. */
async function finalLook<S>({ read }: FollowOptions<S>, screen: Screen<S>, last: S | null): Promise<S | null> {
  try {
    const status = await read();
    screen.show(status);
    return status;
  } catch {
    return last;
  }
}

interface Screen<S> {
  show(status: S): void;
  trouble(message: string): void;
  done(): void;
}

async function screenFor<S>(options: FollowOptions<S>): Promise<Screen<S>> {
  if (options.quiet) return { show: () => {}, trouble: () => {}, done: () => {} };
  return isLive(options.io) ? redrawing(options) : printing(options);
}

async function redrawing<S>({ io, tree }: FollowOptions<S>): Promise<Screen<S>> {
  const [{ createLogUpdate }, { default: picocolors }] = await Promise.all([
    import('log-update'),
    import('picocolors'),
  ]);
  const draw = createLogUpdate(io.stdout as NodeJS.WriteStream);
  const colours = hasColours(io) ? picocolors.createColors(true) : NO_COLOURS;
  let lines: string[] = [];
  return {
    show(status) {
      lines = tree(status, { now: io.now(), width: io.stdout.columns ?? DEFAULT_WIDTH, colours });
      draw(lines.join('\n'));
    },
    trouble: (message) => draw([...lines, colours.yellow(`no news: ${message}`)].join('\n')),
    done: () => draw.done(),
  };
}

function printing<S>({ io, facts }: FollowOptions<S>): Screen<S> {
  let before: Facts | null = null;
  let trouble = '';
  const print = (text: string) => io.stdout.write(`${clock(new Date(io.now()).toISOString(), io.now())} ${text}\n`);
  return {
    show(status) {
      const after = facts(status);
      for (const text of changedFacts(before, after)) print(text);
      before = after;
      trouble = '';
    },
    trouble(message) {
      if (message !== trouble) print(`no news: ${message}`);
      trouble = message;
    },
    done: () => {},
  };
}
