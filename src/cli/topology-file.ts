import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { parseDocument } from 'yaml';
import { MAX_TOPOLOGY_BYTES } from '../contract/messages.js';
import { parseTopology } from '../domain/topology/index.js';
import { topologyWarnings } from '../domain/topology/warnings.js';
import { UsageError } from './exit.js';

const UNREADABLE: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it',
};

export interface TopologyFile {
  /** As written: what stands in the file is what is applied. */
  topology: unknown;
  notInForce: string[];
  warnings: string[];
}

/** Reads a topology and checks it whole. Throws `UsageError` with every problem, before anybody is asked. */
export function readTopologyFile(file: string): TopologyFile {
  const document = parseDocument(textOf(file), { prettyErrors: true });
  const [broken] = document.errors;
  if (broken) throw new UsageError(`${file} is not YAML or JSON: ${broken.message.split('\n')[0]}`);
  const topology: unknown = document.toJS();
  const parsed = parseTopology(topology);
  if (!parsed.ok) {
    throw new UsageError(`${file} is not a topology; nothing was applied`, parsed.problems);
  }
  assertFits(file, topology);
  return { topology, notInForce: parsed.notInForce, warnings: topologyWarnings(parsed.topology) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new UsageError(`${file} cannot be read: ${UNREADABLE[code] ?? message}`);
  }
}

function assertFits(file: string, topology: unknown): void {
  const json = JSON.stringify(topology);
  if (json.length <= MAX_TOPOLOGY_BYTES) return;
  const packed = Math.ceil(gzipSync(json).length / 3) * 4;
  if (packed <= MAX_TOPOLOGY_BYTES) return;
  const value = `${packed} bytes, compressed`;
  const expected = `at most ${MAX_TOPOLOGY_BYTES} bytes`;
  throw new UsageError(`${file} is too large`, [{ path: '', value, expected }]);
}
