import { createHash } from 'node:crypto';

const MAX_LENGTH = 150;

/** Who asks, why and where it can be read make no other act. */
const WORDS = new Set(['by', 'reason', 'url', 'topology', 'gzip', 'fixes']);

/**
 * The id of an update made from what is asked for, in one run of one pipeline: `4711-deployRing-2`. The same job run
 * again asks for the same thing, and so gets the same answer.
 */
export function pipelineUpdateId(pipeline: string, act: string, payload: object): string {
  const parts = Object.entries(payload)
    .filter(([field, value]) => !WORDS.has(field) && value !== undefined)
    .map(([field, value]) => (value === true ? field : shown(value)));
  const id = [pipeline, act, ...parts].join('-').replace(/[^A-Za-z0-9._:,-]+/g, '_');
  return id.length <= MAX_LENGTH ? id : `${id.slice(0, MAX_LENGTH - 13)}-${digest(id)}`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

const shown = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
