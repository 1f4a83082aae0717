import { gunzipSync, gzipSync } from 'node:zlib';
import type { PackedTopology } from '../contract/internal.js';
import type { Topology } from '../domain/topology/index.js';

/** A larger topology travels compressed: 10,000 cells are 1.2 MB of JSON, and 226 KB so. */
const PLAIN_BYTES = 100 * 1024;

/** A topology as `applyTopology` takes it. */
export function packTopology(topology: unknown): { topology: unknown } | { gzip: string } {
  const json = JSON.stringify(topology);
  return Buffer.byteLength(json) <= PLAIN_BYTES ? { topology } : { gzip: gzipSync(json).toString('base64') };
}

/** The topology in force as `CellCluster` answers it; null where there is none yet. */
export function unpackTopology({ gzip }: PackedTopology): Topology | null {
  return gzip === null ? null : JSON.parse(gunzipSync(Buffer.from(gzip, 'base64')).toString('utf8'));
}
