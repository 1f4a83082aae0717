import { condition, sleep } from '@temporalio/workflow';
import type { Alert } from '../../src/contract/activities.js';
import type { AlertBook } from '../../src/contract/internal.js';
import { type Due, nextRaise, toSay } from '../../src/domain/alerts/book.js';
import { earliest } from '../../src/domain/instant.js';
import { raiseAlert } from './activities.js';

/**
 * Raises what is due, raises it again while it lasts, and says when it is over. Nobody waits for it. What was asked for
 * and is not known to have been done stands so in the book: a run that continues as new says it once more.
 */
export class AlertDesk {
  private readonly busy = new Set<string>();
  private wakesAtMs: number | null = null;

  /**
   * @param book the alerts that are up, which the workflow carries over
   * @param wake `keep` is to be called again
   */
  constructor(
    private readonly book: () => AlertBook,
    private readonly wake: () => void,
  ) {}

  get isQuiet(): boolean {
    return this.busy.size === 0;
  }

  keep({ alerts, nextMs }: Due): void {
    this.tell(alerts);
    this.wakeAt(earliest([nextMs, nextRaise(this.book())].flatMap((ms) => ms ?? [])));
  }

  /** The last word: a run that closes before a worker has it loses it. */
  async finish(lasting: Alert[]): Promise<void> {
    for (this.tell(lasting); !this.isQuiet; this.tell(lasting)) await condition(() => this.isQuiet);
  }

  private tell(alerts: Alert[]): void {
    const book = this.book();
    for (const [key, alert] of toSay(book, alerts, Date.now())) {
      if (!this.busy.has(key)) void this.say(book, key, alert);
    }
  }

  private async say(book: AlertBook, key: string, alert: Alert): Promise<void> {
    const askedAtMs = Date.now();
    this.busy.add(key);
    await raiseAlert(alert).catch(() => undefined);
    this.busy.delete(key);
    const entry = book[key];
    if (alert.resolved) delete book[key];
    else if (entry) entry.saidAtMs = askedAtMs;
    this.wake();
  }

  /** A timer that rings too early costs less than one for every change of plan. */
  private wakeAt(atMs: number | null): void {
    if (atMs === null || (this.wakesAtMs !== null && this.wakesAtMs <= atMs)) return;
    this.wakesAtMs = atMs;
    void sleep(Math.max(1, atMs - Date.now())).then(() => {
      if (this.wakesAtMs === atMs) this.wakesAtMs = null;
      this.wake();
    });
  }
}
