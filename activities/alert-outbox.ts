import { setTimeout as delay } from 'node:timers/promises';
import type { Alert } from '../src/contract/activities.js';
import { type Alerting, identityOf, type Message, toPost } from './alert-content.js';
import { backoffMs, type Patience } from './patience.js';
import { type AlertmanagerApi, AlertmanagerError, type Logger, type PostableAlert } from './ports.js';

export interface OutboxOptions {
  alertmanager: AlertmanagerApi;
  alerting: Alerting;
  log: Logger;
  patience?: Partial<Patience> | undefined;
  /** How long a caller waits for its alert to be delivered. Default: 3 s. */
  waitMs?: number | undefined;
}

/** An hour: after that, who raised it has raised it again, or has nothing to say any more. */
const PATIENCE: Patience = { totalMs: 3_600_000, firstPauseMs: 250, maxPauseMs: 15_000 };
const WAIT_MS = 3_000;
const BATCH = 50;
const MOST_KEPT = 1_000;

interface Entry extends Message {
  logged: boolean;
  delivered: () => void;
}

/**
 * Delivers alerts, one batch after the other, so that what is said of an alert arrives in the order in which it was
 * said; of two things said of the same alert only the newer is kept. What Alertmanager does not take is written to the
 * log at once, and tried again.
 */
export class AlertOutbox {
  readonly #options: OutboxOptions;
  readonly #patience: Patience;
  readonly #kept = new Map<string, Entry>();
  #delivering = false;
  #failures = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#patience = { ...PATIENCE, ...options.patience };
  }

  /** Settles once it is delivered, and in any case after a few seconds; at once while Alertmanager is known to be away. */
  async send(alert: Alert, raisedMs: number): Promise<void> {
    const delivered = new Promise<void>((resolve) => {
      this.#keep({ alert, raisedMs, heldSinceMs: Date.now(), logged: false, delivered: resolve });
    });
    if (!this.#delivering) void this.#deliver();
    if (this.#failures > 0) return;
    const stop = new AbortController();
    const enough = delay(this.#options.waitMs ?? WAIT_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    await Promise.race([delivered, enough]);
    stop.abort();
  }

  #keep(entry: Entry): void {
    const identity = identityOf(entry.alert);
    this.#drop(identity);
    this.#kept.set(identity, entry);
    const [oldest] = this.#kept;
    if (this.#kept.size <= MOST_KEPT || oldest === undefined) return;
    this.#drop(oldest[0]);
    this.#tell('error', oldest[1], `is given up: ${MOST_KEPT} others wait for Alertmanager`);
  }

  async #deliver(): Promise<void> {
    this.#delivering = true;
    while (this.#kept.size > 0) {
      const batch = [...this.#kept.values()].slice(0, BATCH);
      const trouble = await this.#post(batch);
      if (trouble === null) {
        this.#failures = 0;
        continue;
      }
      this.#failures += 1;
      this.#note(trouble);
      // Unreferenced: a process that has nothing else to do may end.
      await delay(backoffMs(this.#patience, this.#failures), undefined, { ref: false });
    }
    this.#failures = 0;
    this.#delivering = false;
  }

  /** Null where Alertmanager has taken them, or refused them for good. */
  async #post(batch: readonly Entry[]): Promise<string | null> {
    try {
      const alerts = batch.flatMap((entry) => this.#composed(entry));
      if (alerts.length > 0) await this.#options.alertmanager.post(alerts);
      for (const entry of batch) this.#settle(entry);
      return null;
    } catch (error) {
      const refused = error instanceof AlertmanagerError && error.kind === 'refused';
      if (!refused) return error instanceof Error ? error.message : String(error);
      return this.#refused(batch, error.message);
    }
  }

  /** Nothing of one that cannot be written down: it must not stand in the way of the others. */
  #composed(entry: Entry): PostableAlert[] {
    try {
      return toPost(entry, this.#options.alerting, Date.now());
    } catch (error) {
      this.#tell('error', entry, `cannot be written down: ${error}`);
      return [];
    }
  }

  /** One that is wrong must not take the others with it. */
  async #refused(batch: readonly Entry[], reason: string): Promise<string | null> {
    const [first] = batch;
    if (batch.length > 1) {
      for (const entry of batch) {
        const trouble = await this.#post([entry]);
        if (trouble !== null) return trouble;
      }
    } else if (first) {
      this.#settle(first);
      this.#tell('error', first, `is refused: ${reason}`);
    }
    return null;
  }

  #settle(entry: Entry): void {
    entry.delivered();
    const identity = identityOf(entry.alert);
    // Something newer may have been said meanwhile.
    if (this.#kept.get(identity) === entry) this.#kept.delete(identity);
  }

  #drop(identity: string): void {
    this.#kept.get(identity)?.delivered();
    this.#kept.delete(identity);
  }

  #note(trouble: string): void {
    for (const [identity, entry] of this.#kept) {
      if (Date.now() - entry.heldSinceMs > this.#patience.totalMs) {
        this.#drop(identity);
        this.#tell('error', entry, `is given up: ${trouble}`);
      } else if (!entry.logged) {
        entry.logged = true;
        this.#tell('warn', entry, `is not delivered yet: ${trouble}`);
      }
    }
  }

  #tell(level: 'warn' | 'error', { alert }: Entry, what: string): void {
    try {
      this.#options.log[level]({ alert }, `alert ${alert.name}: ${alert.summary} (it ${what})`);
    } catch {
      // A log that cannot be written to is no reason to stop.
    }
  }
}
