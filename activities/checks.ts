import type { Activities, WatchChecksOrder } from '../src/contract/activities.js';
import type { OutsideCheck } from '../src/contract/policy.js';
import { type TemporalClient, tellPass } from './ask-temporal.js';
import { heartbeating } from './heartbeat.js';
import { request } from './http.js';
import { jittered, pauseFor } from './patience.js';

export interface ChecksDependencies {
  client: TemporalClient;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;
const REASON_AT_MOST = 200;

/** `watchChecks`: asks outside checks for as long as a pass goes on. See `Activities`. */
export function createWatchChecks({ client }: ChecksDependencies): Activities['watchChecks'] {
  return (order) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const board = new Board(client, order, signal);
        await Promise.all(order.checks.map((check) => board.follow(check)));
      },
    );
}

/** What each check said last, and what the pass was told of it. */
class Board {
  private readonly words = new Map<string, string | null>();
  private told = '';

  constructor(
    private readonly client: ChecksDependencies['client'],
    private readonly order: WatchChecksOrder,
    private readonly signal: AbortSignal,
  ) {}

  async follow(check: OutsideCheck): Promise<never> {
    for (;;) {
      this.words.set(check.name, await ask(check, this.signal));
      await this.tell();
      await pauseFor(jittered(check.everyMs), this.signal);
    }
  }

  /** Nothing is told before every check has spoken: until then the pass waits. */
  private async tell(): Promise<void> {
    if (this.words.size < this.order.checks.length) return;
    const against = [...this.words].filter(([, word]) => word !== null);
    const detail = against.length > 0 ? against.map(([name, word]) => `check ${name}: ${word}`).join('; ') : null;
    if (JSON.stringify(detail) === this.told) return;
    await tellPass(
      this.client,
      this.order,
      'ringChecks',
      { detail, against: against.map(([name]) => name) },
      this.signal,
    );
    this.told = JSON.stringify(detail);
  }
}

/** What speaks against going on, or null: only `{"ok": true}` says that nothing does. */
async function ask({ url, failClosed }: OutsideCheck, signal: AbortSignal): Promise<string | null> {
  try {
    const { status, json } = await request({ url, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal });
    const { ok, reason } = (json ?? {}) as { ok?: unknown; reason?: unknown };
    if (status === 200 && ok === true) return null;
    if (status === 200 && ok === false)
      return typeof reason === 'string' ? reason.slice(0, REASON_AT_MOST) : 'it says no';
    return failClosed ? `it answers neither yes nor no (status ${status})` : null;
  } catch (error) {
    signal.throwIfAborted();
    return failClosed
      ? `no answer: ${error instanceof Error ? error.message : String(error)}`.slice(0, REASON_AT_MOST)
      : null;
  }
}
