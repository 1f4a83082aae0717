import type { Fault } from './schema.js';
import { type FaultSpan, lasts } from './strikes.js';

/** When each fault that shows in metrics was in force, for questions about the past. */
export class FaultLedger {
  #spans: FaultSpan[];
  #revision = 0;

  constructor(
    saved: readonly FaultSpan[],
    private readonly save: (span: FaultSpan) => void,
  ) {
    this.#spans = [...saved];
  }

  get spans(): readonly FaultSpan[] {
    return this.#spans;
  }

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /** Notes that a fault is in force; one that was so already goes on. */
  open(id: string, fault: Fault, nowMs: number): void {
    if (!lasts(fault) || this.#spans.some((span) => span.id === id && span.toMs === null)) return;
    const span: FaultSpan = { id, fault, fromMs: nowMs, toMs: null };
    this.#spans.push(span);
    this.#changed(span);
  }

  close(id: string, nowMs: number): void {
    for (const span of this.#spans.filter((s) => s.id === id && s.toMs === null)) {
      span.toMs = nowMs;
      this.#changed(span);
    }
  }

  /** Ends what is no longer in force: a fault that left the file between two lives, for instance. */
  closeAllBut(ids: ReadonlySet<string>, nowMs: number): void {
    for (const { id } of this.#spans.filter((span) => span.toMs === null)) if (!ids.has(id)) this.close(id, nowMs);
  }

  #changed(span: FaultSpan): void {
    this.#revision += 1;
    this.save(span);
  }
}
