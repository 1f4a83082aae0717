import { pauseFor } from './patience.js';
import type { CellApi, MetadataAnswer, ReadinessAnswer } from './ports.js';

const AGAIN_AFTER_MS = 500;

/** The cell's readiness; a silent one is asked once more, so that one lost packet decides nothing. */
export async function readinessOf(cells: CellApi, url: string, signal?: AbortSignal): Promise<ReadinessAnswer> {
  const answer = await cells.readiness(url, signal);
  if (answer.state !== 'silent') return answer;
  await pauseFor(AGAIN_AFTER_MS, signal);
  return cells.readiness(url, signal);
}

/** The cell's metadata; a cell that did not say is asked once more. */
export async function metadataOf(cells: CellApi, url: string, signal?: AbortSignal): Promise<MetadataAnswer> {
  const answer = await cells.metadata(url, signal);
  if (answer.state !== 'unknown') return answer;
  await pauseFor(AGAIN_AFTER_MS, signal);
  return cells.metadata(url, signal);
}
