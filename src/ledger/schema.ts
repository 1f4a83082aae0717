import type { ColumnType, Generated } from 'kysely';

/** The tables, as both PostgreSQL and PGlite have them. */
export interface LedgerTables {
  ledger_entry: EntryTable;
}

export interface EntryTable {
  id: string;
  /** In the order written: tells entries of one instant apart. */
  seq: Generated<string>;
  at: ColumnType<Date, string, never>;
  cluster: string;
  kind: string;
  act: string;
  by: string;
  version: string | null;
  ring: number | null;
  cell: string | null;
  reason: string | null;
  url: string | null;
  outcome: string | null;
  job_id: string | null;
  /** JSON. */
  evidence: ColumnType<unknown, string | null, never>;
  took_ms: ColumnType<string | null, number | null, never>;
  /** JSON. */
  facts: ColumnType<unknown, string | null, never>;
}
