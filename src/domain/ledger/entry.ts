import type { LedgerEntry, NewEntry } from '../../contract/ledger.js';
import { COORDINATOR } from '../brake.js';

/** Bounds of what one entry says: a batch of them stays far below what a payload may be. */
const MOST = { text: 1_000, url: 2_000, sentences: 5, sentence: 300, facts: 1_500 };

const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/** An entry without fields that say nothing, each within its bounds. */
export function bounded(entry: NewEntry): NewEntry {
  const { kind, act, by, version, ring, cell, reason, url, outcome, jobId, evidence, tookMs, facts } = entry;
  return {
    kind,
    act,
    by: cut(by, 200),
    ...(version === undefined ? {} : { version }),
    ...(ring === undefined ? {} : { ring }),
    ...(cell === undefined ? {} : { cell }),
    ...(reason ? { reason: cut(reason, MOST.text) } : {}),
    ...(url ? { url: cut(url, MOST.url) } : {}),
    ...(outcome ? { outcome: cut(outcome, MOST.text) } : {}),
    ...(jobId ? { jobId: cut(jobId, 200) } : {}),
    ...(evidence?.length ? { evidence: evidence.slice(0, MOST.sentences).map((s) => cut(s, MOST.sentence)) } : {}),
    ...(tookMs === undefined ? {} : { tookMs: Math.max(0, Math.round(tookMs)) }),
    ...boundedFacts(facts),
  };
}

/** Data cannot be cut in the middle: the largest fields are left out, and named. */
function boundedFacts(facts: NewEntry['facts']): Pick<NewEntry, 'facts'> {
  const fields = Object.entries(facts ?? {}).filter(([, value]) => value !== undefined);
  if (fields.length === 0) return {};
  const sizes = fields.map(([name, value]) => ({ name, size: JSON.stringify(value).length }));
  sizes.sort((a, b) => b.size - a.size);
  let left = JSON.stringify(Object.fromEntries(fields)).length;
  const out = new Set<string>();
  for (const { name, size } of sizes) {
    if (left <= MOST.facts) break;
    out.add(name);
    left -= size;
  }
  const kept = Object.fromEntries(fields.filter(([name]) => !out.has(name)));
  return { facts: out.size === 0 ? kept : { ...kept, leftOut: [...out].slice(0, 20) } };
}

/** Large, and kept elsewhere. */
const NEVER = new Set(['topology', 'gzip']);

/**
 * An act as the ledger has it. What it was about is read from its message, which has it by the names of the contract; its
 * other fields are kept as data.
 */
export function entryOfAct(
  act: string,
  message: { by: string; reason?: string | undefined; url?: string | undefined },
  outcome: string,
  about: Pick<NewEntry, 'version'> = {},
): NewEntry {
  const { by, reason, url, ...rest } = message;
  const fields = Object.entries(rest).filter(([name, value]) => !NEVER.has(name) && value !== undefined);
  const facts = Object.fromEntries(fields) as Record<string, unknown>;
  const { version = about.version, ring, cell } = facts;
  return {
    kind: by === COORDINATOR ? 'decision' : 'act',
    act,
    by,
    ...(typeof version === 'string' ? { version } : {}),
    ...(typeof ring === 'number' ? { ring } : {}),
    ...(typeof cell === 'string' ? { cell } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(url === undefined ? {} : { url }),
    outcome,
    facts,
  };
}

/** What of a workflow's entries is not known to have reached the ledger; part of its state. */
export interface Outbox {
  /** Entries made so far by this run and those before it. */
  noted: number;
  entries: LedgerEntry[];
}

export const newOutbox = (): Outbox => ({ noted: 0, entries: [] });
