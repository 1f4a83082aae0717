import { isCollision } from '../../src/client/translate.js';

/** The first pause between two looks, and the longest, in ms: who has waited long can wait a little longer. */
const FIRST_MS = 40;
const LONGEST_MS = 300;
const GROWTH = 1.25;

/** Looks until there is something to see; answers null where the time ran out. A look costs the server and a worker. */
export async function lookUntil<T>(
  look: () => Promise<T | null | undefined | false>,
  timeoutMs: number,
): Promise<T | null> {
  const end = Date.now() + timeoutMs;
  for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(pauseMs * GROWTH, LONGEST_MS)) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) return null;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

const COLLISIONS = 10;

/** Asks a run, and again where it took another turn meanwhile: as the client does for its callers. */
export async function asked<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isCollision(error) || tries === COLLISIONS) throw error;
      await new Promise((resolve) => setTimeout(resolve, FIRST_MS));
    }
  }
}
