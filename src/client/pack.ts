import { gzipSync } from 'node:zlib';

/** A larger topology travels compressed: 10,000 cells are 1.2 MB of JSON, and 226 KB so. */
const PLAIN_BYTES = 100 * 1024;

/** A topology as `applyTopology` takes it. */
export function packTopology(topology: unknown): { topology: unknown } | { gzip: string } {
  const json = JSON.stringify(topology);
  return Buffer.byteLength(json) <= PLAIN_BYTES ? { topology } : { gzip: gzipSync(json).toString('base64') };
}
