import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CellsClient } from '../../src/client/index.js';
import type { LedgerEntry } from '../../src/contract/ledger.js';
import type { Stage } from '../support/stage.js';
import type { Diary } from './diary.js';
import type { SimulatedTime } from './time.js';

/** How often the cluster is asked how it stands, in simulated hours. */
const EVERY_H = 12;
/** Entries of the ledger that are asked for at once, and how far back each time: they may be written late. */
const PAGE = 1_000;
const LEDGER_EVERY = 4;
const AGAIN_DAYS = 2;

/** How things stood at one moment. */
export interface Sample {
  day: number;
  drift: Record<string, number>;
  queue: number;
  statusMs: number;
  /** Resident memory by process, bytes. */
  rss: Record<string, number>;
}

/** Looks at the cluster and reads its ledger as the year goes by. */
export class Watcher {
  readonly samples: Sample[] = [];
  readonly #entries = new Map<string, LedgerEntry>();
  #isOver = false;

  constructor(
    private readonly stage: Stage,
    private readonly cells: CellsClient,
    private readonly time: SimulatedTime,
    private readonly diary: Diary,
  ) {}

  /** Until `stop`. */
  async watch(): Promise<void> {
    while (!this.#isOver) {
      await sleep(this.time.realOf(EVERY_H));
      await this.#sample().catch((error: unknown) => this.diary.trouble('status', error));
      if (this.samples.length % LEDGER_EVERY === 0)
        await this.readLedger().catch((error: unknown) => this.diary.trouble('ledger', error));
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Entries of the ledger, oldest first. */
  get entries(): LedgerEntry[] {
    return [...this.#entries.values()].sort((a, b) => a.at.localeCompare(b.at) || a.id.localeCompare(b.id));
  }

  /** Reads what was written since the last time. */
  async readLedger(): Promise<void> {
    const last = this.entries.at(-1)?.at;
    const sinceMs = last === undefined ? this.time.at(-1) : Date.parse(last) - this.time.dayMs * AGAIN_DAYS;
    const query = { since: new Date(sinceMs).toISOString(), limit: PAGE };
    const { entries, more } = await this.cells.ledger().history(query);
    for (const entry of entries) this.#entries.set(entry.id, entry);
    if (more) throw new Error(`more than one answer holds was entered since ${query.since}`);
  }

  async #sample(): Promise<void> {
    const began = performance.now();
    const status = await this.cells.cluster().status();
    const statusMs = performance.now() - began;
    const rss = Object.fromEntries(this.stage.processes.map(({ name, pid }) => [name, rssOf(pid)]));
    const day = this.time.dayOf(Date.now());
    this.samples.push({ day, drift: status.drift.byRing, queue: status.queue.length, statusMs, rss });
  }
}

function rssOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
