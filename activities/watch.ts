import type { Activities, CellRef, WatchOrder, WatchReport } from '../src/contract/activities.js';
import { heartbeating } from './heartbeat.js';
import { jittered, pauseFor } from './patience.js';
import { mapBounded } from './pool.js';
import type { CellApi, ReadinessAnswer } from './ports.js';

export interface WatchDependencies {
  cells: CellApi;
}

const AT_ONCE = 20;

/** `watchCells`: watches readiness until a time, or until a cell is bad. See `Activities`. */
export function createWatchCells({ cells }: WatchDependencies): Activities['watchCells'] {
  return (order) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const watched = order.cells.map((cell) => new Watched(cell));
        for (;;) {
          await mapBounded(watched, AT_ONCE, signal, async (one, stop) =>
            one.note(await cells.readiness(one.url, stop)),
          );
          const report = reportOf(order, watched, Date.now());
          if (report !== null) return report;
          await pauseFor(pauseMs(order), signal);
        }
      },
    );
}

/** One cell's answers so far, as counts. */
class Watched {
  readonly cell: string;
  readonly url: string;
  /** Answers in a row that it is not ready. Silence neither adds to it nor clears it. */
  bad = 0;
  silent = 0;
  detail = '';

  constructor(cell: CellRef) {
    this.cell = cell.id;
    this.url = cell.url;
  }

  note({ state, detail }: ReadinessAnswer): void {
    this.silent = state === 'silent' ? this.silent + 1 : 0;
    if (state === 'ready') this.bad = 0;
    if (state !== 'not-ready') return;
    this.bad += 1;
    this.detail = detail;
  }
}

/** Null while the watch goes on: its time is not over, or a cell's last answers are not yet enough to judge it. */
function reportOf(order: WatchOrder, watched: Watched[], nowMs: number): WatchReport | null {
  const bad = watched.filter((one) => one.bad >= order.badInARow);
  const silent = watched.filter((one) => one.silent > 0);
  if (bad.length === 0) {
    if (nowMs < order.untilMs) return null;
    // Both counts only grow until a good answer clears them, so this ends soon after the time is over.
    const undecided = watched.some((one) => (one.silent > 0 ? one.silent < order.badInARow : one.bad > 0));
    if (undecided) return null;
  }
  return {
    bad: bad.map((one) => ({ cell: one.cell, reason: one.detail })),
    silent: nowMs < order.untilMs ? [] : silent.map((one) => one.cell),
  };
}

function pauseMs(order: WatchOrder): number {
  const leftMs = order.untilMs - Date.now();
  const pause = jittered(order.intervalMs);
  return leftMs > 0 ? Math.min(pause, leftMs) : pause;
}
