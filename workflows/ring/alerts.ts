import type { Alert } from '../../src/contract/activities.js';
import type { AlertBook } from '../../src/contract/internal.js';
import type { RolloutRing } from '../../src/contract/status.js';
import { keyOf } from '../../src/domain/alerts/book.js';
import { alertsOfPass } from '../../src/domain/alerts/ring.js';
import { AlertDesk } from '../shared/alert-desk.js';
import type { PassContext } from './context.js';

/** The alerts of a pass. What of a cell lasts longer than the pass it leaves to the cluster. */
export class PassAlerts {
  private readonly desk: AlertDesk;
  private due: Alert[] = [];

  constructor(private readonly ctx: PassContext) {
    this.desk = new AlertDesk(
      () => ctx.alerts.book,
      () => ctx.wake(),
    );
  }

  /** Before it has looked, a pass knows no better than the one before it. */
  keep(view: RolloutRing): void {
    const { ctx } = this;
    const { entry, input, alerts, state, roster } = ctx;
    // What is only observed is somebody else's: nobody is called for it.
    if (!entry || !ctx.looked || ctx.observesOnly) {
      this.due = Object.values(alerts.book).map(({ alert }) => alert);
      return;
    }
    const { ring, version } = input;
    const { cluster, soft, perimeter, health } = entry;
    const due = alertsOfPass(state, alerts, {
      ...{ cluster, ring, version, soft, perimeter, view },
      inconclusiveTimeoutMs: health?.inconclusiveTimeoutMs ?? null,
      trouble: ctx.trouble?.kind ?? null,
      indexOf: (cell) => roster.indexOf(cell),
      now: Date.now(),
    });
    this.due = due.alerts;
    this.desk.keep(due);
  }

  /** Those whose cause is there; what is over by now is this pass's own to say, and what is on its way arrives. */
  get lasting(): AlertBook {
    const keys = new Set(this.due.map(keyOf));
    const entries = Object.entries(this.ctx.alerts.book).filter(([key]) => keys.has(key));
    const now = Date.now();
    return Object.fromEntries(entries.map(([key, { alert, saidAtMs }]) => [key, { alert, saidAtMs: saidAtMs ?? now }]));
  }

  /** Waits until all was said. */
  async finish(): Promise<void> {
    await this.desk.finish(this.due);
  }
}
