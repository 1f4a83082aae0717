import { sleep } from '@temporalio/workflow';

/** Wakes its workflow at an instant; the one named last counts. */
export class Alarm {
  private forMs: number | null = null;

  constructor(private readonly wake: () => void) {}

  set(atMs: number | null): void {
    if (atMs === null || atMs === this.forMs) return;
    this.forMs = atMs;
    void sleep(Math.max(1, atMs - Date.now())).then(() => {
      if (this.forMs === atMs) this.forMs = null;
      this.wake();
    });
  }
}
