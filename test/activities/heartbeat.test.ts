import { describe, expect, it } from 'vitest';
import { type Heartbeat, heartbeating } from '../../activities/heartbeat.js';
import { attempt } from './environment.js';

const MANY = 40;

/** When the body began, in ms since the attempt did, and whether it was to cancel by then. */
async function begun(tried: ReturnType<typeof attempt>): Promise<{ afterMs: number; cancelRequested: boolean }> {
  const startMs = Date.now();
  const body = async ({ cancelRequested }: Heartbeat) => ({
    afterMs: Date.now() - startMs,
    cancelRequested: cancelRequested(),
  });
  return await tried.run(() => heartbeating(() => undefined, body), null);
}

describe('a long activity', () => {
  it('begins at once at its first attempt', async () => {
    const all = await Promise.all(Array.from({ length: MANY }, () => begun(attempt())));
    expect(Math.max(...all.map(({ afterMs }) => afterMs))).toBeLessThan(1_200);
  });

  it('begins anew at a moment of its own, so that a worker that comes back does not do everything at once', async () => {
    const all = await Promise.all(Array.from({ length: MANY }, () => begun(attempt({ attempt: 2 }))));
    const begins = all.map(({ afterMs }) => afterMs);
    expect(Math.max(...begins)).toBeLessThan(5_000);
    const within = (from: number) => begins.filter((ms) => ms >= from && ms < from + 200).length;
    expect(Math.max(...begins.map(within))).toBeLessThan(MANY / 2);
  });

  it('has a cancel at once, also where it was still to begin anew', async () => {
    const all = Array.from({ length: MANY }, async () => {
      const tried = attempt({ attempt: 2 });
      const running = begun(tried);
      tried.cancel();
      return await running;
    });
    const ended = await Promise.all(all);
    expect(ended.every(({ cancelRequested }) => cancelRequested)).toBe(true);
    expect(Math.max(...ended.map(({ afterMs }) => afterMs))).toBeLessThan(1_200);
  });
});
