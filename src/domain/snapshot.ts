import { gunzipSync, gzipSync, strFromU8, strToU8 } from 'fflate';
import type { CellRef } from '../contract/activities.js';
import type { PackedTopology } from '../contract/internal.js';
import type { Topology } from './topology/index.js';

/**
 * Large plain data travel as base64 of gzipped JSON. fflate and not node:zlib, because this runs inside the workflow
 * sandbox; and a fixed modification time, because the same data must give the same bytes on a replay.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export const pack = (value: unknown): string => toBase64(gzipSync(strToU8(JSON.stringify(value)), { mtime: 1 }));

/** Throws where `text` is not base64 of gzipped JSON. */
export const unpack = (text: string): unknown => JSON.parse(strFromU8(gunzipSync(base64ToBytes(text))));

/** The topology in force as `CellCluster` answers it; null where there is none yet. */
export const unpackTopology = ({ gzip }: PackedTopology): Topology | null =>
  gzip === null ? null : (unpack(gzip) as Topology);

export const packCells = (cells: CellRef[]): string =>
  pack(cells.map((c) => [c.id, c.tenant, c.url, ...(hasLabels(c) ? [c.labels] : [])]));

export const unpackCells = (text: string): CellRef[] =>
  (unpack(text) as PackedCell[]).map(([id, tenant, url, labels]) => ({
    id,
    tenant,
    url,
    ...(labels === undefined ? {} : { labels }),
  }));

type PackedCell = [id: string, tenant: string, url: string, labels?: CellRef['labels']];

const hasLabels = ({ labels = {} }: CellRef): boolean => Object.keys(labels).length > 0;

function toBase64(bytes: Uint8Array): string {
  const out: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes[i] ?? 0, bytes[i + 1], bytes[i + 2]];
    const word = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    out.push(ALPHABET.charAt(word >> 18), ALPHABET.charAt((word >> 12) & 63));
    out.push(
      b === undefined ? '=' : ALPHABET.charAt((word >> 6) & 63),
      c === undefined ? '=' : ALPHABET.charAt(word & 63),
    );
  }
  return out.join('');
}

const VALUES: Record<string, number> = Object.fromEntries([...ALPHABET].map((char, i) => [char, i]));

/** Bytes of base64 text; characters outside its alphabet count as zero bits. */
export function base64ToBytes(text: string): Uint8Array {
  const clean = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((clean.length * 3) / 4));
  for (let i = 0, at = 0; i < clean.length; i += 4) {
    const value = (offset: number) => VALUES[clean.charAt(i + offset)] ?? 0;
    const word = (value(0) << 18) | (value(1) << 12) | (value(2) << 6) | value(3);
    for (const shift of [16, 8, 0]) if (at < bytes.length) bytes[at++] = (word >> shift) & 255;
  }
  return bytes;
}
