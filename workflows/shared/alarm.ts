import { CancellationScope, sleep } from '@temporalio/workflow';

/** Wakes its workflow at an instant; the one named last counts. It is the workflow's, whatever scope it is set in. */
export class Alarm {
  private forMs: number | null = null;

  constructor(private readonly wake: () => void) {}

  set(atMs: number | null): void {
    if (atMs === null || atMs === this.forMs) return;
    this.forMs = atMs;
    const waking = CancellationScope.nonCancellable(() => sleep(Math.max(1, atMs - Date.now())));
    void waking.then(() => {
      if (this.forMs === atMs) this.forMs = null;
      this.wake();
    });
  }
}
