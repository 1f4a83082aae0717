import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { z } from '../contract/zod.js';
import { faultSchema } from './faults/schema.js';
import type { FaultSpan } from './faults/strikes.js';
import { type CellRecord, cellRecord, type JobRecord, jobRecord } from './model.js';
import { InputError, problemsOf, render } from './problems.js';

const FORMAT = 1;

const faultSpan = z.object({ id: z.string(), fault: faultSchema, fromMs: z.number(), toMs: z.number().nullable() });
const heldFault = z.object({ id: z.string(), fault: faultSchema, seen: z.number(), hits: z.number() });

/** One line of the state file. Later lines replace earlier ones about the same thing. */
const entrySchema = z.discriminatedUnion(
  'is',
  [
    z.object({ is: z.literal('state'), format: z.literal(FORMAT, `format ${FORMAT}`) }),
    z.object({ is: z.literal('cell'), cell: cellRecord }),
    z.object({ is: z.literal('job'), job: jobRecord, cell: cellRecord.optional() }),
    z.object({ is: z.literal('submitted-again'), id: z.string() }),
    z.object({ is: z.literal('fault'), held: heldFault }),
    z.object({ is: z.literal('fault-counted'), id: z.string(), seen: z.number(), hits: z.number() }),
    z.object({ is: z.literal('fault-removed'), id: z.string() }),
    z.object({ is: z.literal('fault-span'), span: faultSpan }),
  ],
  'a line of a state file',
);

export type Entry = z.infer<typeof entrySchema>;

/** What a state file says, with later lines already laid over earlier ones. */
export interface SavedState {
  cells: Map<string, CellRecord>;
  jobs: Map<string, JobRecord>;
  faults: Map<string, z.infer<typeof heldFault>>;
  /** Counts of all faults, also of those that a file of faults brings again. */
  faultCounts: Map<string, { seen: number; hits: number }>;
  faultsRemoved: Set<string>;
  /** By id and beginning. */
  faultSpans: Map<string, FaultSpan>;
}

export const emptyState = (): SavedState => ({
  cells: new Map(),
  jobs: new Map(),
  faults: new Map(),
  faultCounts: new Map(),
  faultsRemoved: new Set(),
  faultSpans: new Map(),
});

export interface Journal {
  /** The line is with the operating system when this returns: it outlives the process, not the machine. */
  write(entry: Entry): void;
  close(): void;
}

export const NO_JOURNAL: Journal = { write: () => {}, close: () => {} };

/** Reads a state file; a missing one is empty. A torn last line was never answered for, so it is left out. */
export function readState(file: string): SavedState {
  const state = emptyState();
  if (!existsSync(file)) return state;
  const lines = readLines(file);
  lines.forEach((line, index) => {
    const isTorn = index === lines.length - 1 && line !== '';
    if (line !== '') applyLine(state, line, { file, number: index + 1, isTorn });
  });
  return state;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new InputError(file, [{ path: '', value: (error as Error).message, expected: 'a readable file' }]);
  }
}

function applyLine(state: SavedState, line: string, at: { file: string; number: number; isTorn: boolean }): void {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    if (at.isTorn) return;
    const problem = { path: `line ${at.number}`, value: render(line), expected: 'one JSON object' };
    throw new InputError(at.file, [problem]);
  }
  const parsed = entrySchema.safeParse(json);
  if (!parsed.success) throw new InputError(at.file, problemsOf(parsed.error, json, `line ${at.number}`).slice(0, 5));
  apply(state, parsed.data);
}

function apply(state: SavedState, entry: Entry): void {
  switch (entry.is) {
    case 'cell':
      state.cells.set(entry.cell.id, entry.cell);
      return;
    case 'job':
      state.jobs.set(entry.job.job.id, entry.job);
      if (entry.cell) state.cells.set(entry.cell.id, entry.cell);
      return;
    case 'submitted-again': {
      const record = state.jobs.get(entry.id);
      if (record) record.submissions += 1;
      return;
    }
    case 'fault':
      state.faults.set(entry.held.id, entry.held);
      return;
    case 'fault-counted':
      state.faultCounts.set(entry.id, { seen: entry.seen, hits: entry.hits });
      return;
    case 'fault-removed':
      state.faults.delete(entry.id);
      state.faultsRemoved.add(entry.id);
      return;
    case 'fault-span':
      state.faultSpans.set(`${entry.span.id}@${entry.span.fromMs}`, entry.span);
      return;
    case 'state':
      return;
  }
}

/** Writes what is known as a new, short file in place of the old one, and goes on behind it. */
export function openJournal(file: string, state: SavedState): Journal {
  const compacted = `${file}.compacting`;
  let descriptor: number;
  try {
    writeFileSync(compacted, linesOf(state));
    renameSync(compacted, file);
    descriptor = openSync(file, 'a');
  } catch (error) {
    const problem = { path: '', value: (error as Error).message, expected: 'a file that can be written' };
    throw new InputError(file, [problem]);
  }
  return {
    write: (entry) => writeWhole(descriptor, Buffer.from(`${JSON.stringify(entry)}\n`)),
    close: () => closeSync(descriptor),
  };
}

function writeWhole(descriptor: number, line: Buffer): void {
  let written = 0;
  while (written < line.length) written += writeSync(descriptor, line, written);
}

function linesOf(state: SavedState): string {
  const entries: Entry[] = [{ is: 'state', format: FORMAT }];
  for (const job of state.jobs.values()) entries.push({ is: 'job', job });
  for (const cell of state.cells.values()) entries.push({ is: 'cell', cell });
  for (const held of state.faults.values()) entries.push({ is: 'fault', held });
  for (const [id, count] of state.faultCounts) entries.push({ is: 'fault-counted', id, ...count });
  for (const span of state.faultSpans.values()) entries.push({ is: 'fault-span', span });
  for (const id of state.faultsRemoved) entries.push({ is: 'fault-removed', id });
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}
