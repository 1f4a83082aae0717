import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { TemporalConfig } from './temporal-config.js';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
const SHORTEST_ATTEMPT_MS = 1_000;
const LONGEST_ATTEMPT_MS = 5_000;

/** Temporal did not answer for as long as somebody was ready to wait. */
export class TemporalUnreachable extends Error {
  override name = 'TemporalUnreachable';
}

export interface ConnectOptions {
  /** How long to keep trying; 0: once, for a second. */
  patienceMs: number;
  /** Takes one line before each wait. */
  log?: (line: string) => void;
}

/** Connects to Temporal, again and again with growing pauses. Throws `TemporalUnreachable` when patience is over. */
export async function connectToTemporal(
  { address, connectionOptions }: TemporalConfig,
  { patienceMs, log = () => {} }: ConnectOptions,
): Promise<Connection> {
  const deadline = Date.now() + patienceMs;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
    // A refused connection is not an answer to gRPC, which goes on trying: short attempts let us say early what is wrong.
    const attemptMs = Math.max(SHORTEST_ATTEMPT_MS, Math.min(4 * delayMs, LONGEST_ATTEMPT_MS, deadline - Date.now()));
    try {
      return await Connection.connect({ ...connectionOptions, connectTimeout: attemptMs });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const leftMs = deadline - Date.now();
      if (leftMs <= 0)
        throw new TemporalUnreachable(`Temporal at ${address} cannot be reached: ${reason}`, { cause: error });
      log(`Temporal at ${address} cannot be reached yet (${reason}); trying for ${Math.ceil(leftMs / 1000)} s more`);
      await sleep(Math.min(delayMs, leftMs));
    }
  }
}
