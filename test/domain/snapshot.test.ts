import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TOPOLOGY_BYTES } from '../../src/contract/messages.js';
import { base64ToBytes, pack, packCells, unpack, unpackCells } from '../../src/domain/snapshot.js';

const cells = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: `cell-${i}`,
    tenant: `c01${(i * 7_919_999).toString(36).padStart(15, 'x')}`,
    url: `https://cell-${i}.cells.gitlab.example`,
  }));

describe('snapshots', () => {
  it('come back as they were, whatever they hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(unpack(pack(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('are what any other gzip and base64 read and write', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(JSON.parse(gunzipSync(Buffer.from(pack({ text }), 'base64')).toString())).toEqual({ text });
        expect(unpack(gzipSync(JSON.stringify({ text })).toString('base64'))).toEqual({ text });
      }),
    );
  });

  it('are the same bytes for the same data, at whatever time', async () => {
    const first = pack(cells(50));
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(pack(cells(50))).toBe(first);
  });

  it('reads base64 of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect([...base64ToBytes(Buffer.from(bytes).toString('base64'))]).toEqual([...bytes]);
      }),
    );
  });

  it.each(['', 'AAAA', 'not base64 at all!', Buffer.from('{}').toString('base64')])('refuses %j', (text) => {
    expect(() => unpack(text)).toThrow();
  });

  it('10,000 cells fit under the largest payload', () => {
    const all = cells(10_000);
    const packed = packCells(all);
    expect(packed.length).toBeLessThan(MAX_TOPOLOGY_BYTES);
    expect(unpackCells(packed)).toEqual(all);
  });
});
