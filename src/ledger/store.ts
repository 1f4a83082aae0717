import {
  type ExpressionBuilder,
  type Insertable,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type Selectable,
} from 'kysely';
import type { History, HistoryQuery, LedgerEntry, LedgerKind, ReportQuery, Standing } from '../contract/ledger.js';
import { STANDS } from '../domain/ledger/report.js';
import { OF_PACKAGES, OF_PEOPLE, standingOf } from '../domain/ledger/standing.js';
import { migrate } from './migrations.js';
import type { EntryTable, LedgerTables } from './schema.js';

/** Rows that one statement inserts: each has 16 parameters, and PostgreSQL takes 65,535. */
const ROWS_AT_ONCE = 500;
/** Packages are remembered for long enough; what people ordered, for as long as it was ever kept. */
const MOST_OF_PACKAGES = 3_000;
const MOST_OF_PEOPLE = 50_000;
/** How packages stood when a report begins: more than any ring is behind. */
const MOST_BEFORE = 1_000;
/** What a report counts is read in pages, so that years fit. */
const PAGE = 5_000;
/** What an answer may be, in bytes of JSON: Temporal takes 2 MB. */
const MOST_BYTES = 1_000_000;

/** The one way to the ledger's database, whichever it is. Every method fails where that cannot be reached. */
export class LedgerStore {
  private constructor(
    private readonly db: Kysely<LedgerTables>,
    /** In words, without a password. */
    readonly where: string,
  ) {}

  /** Opens the ledger behind this pool and brings its schema up to date. Throws `LedgerTooNew`, or what the pool throws. */
  static async open(pool: PostgresPool, where: string): Promise<LedgerStore> {
    const db = new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool }) });
    try {
      await migrate(db);
      return new LedgerStore(db, where);
    } catch (error) {
      await db.destroy().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.db.destroy();
  }

  /** What is there already stays as it is. Answers the entries that the database will never take, and why not. */
  async write(entries: readonly LedgerEntry[]): Promise<{ entry: LedgerEntry; problem: string }[]> {
    const refused: { entry: LedgerEntry; problem: string }[] = [];
    for (let at = 0; at < entries.length; at += ROWS_AT_ONCE) {
      const part = entries.slice(at, at + ROWS_AT_ONCE);
      try {
        await this.insert(part);
      } catch (error) {
        if (!isAboutData(error)) throw error;
        // One that no database takes must not keep the others out.
        for (const entry of part) {
          await this.insert([entry]).catch((problem) => {
            if (!isAboutData(problem)) throw problem;
            refused.push({ entry, problem: String(problem) });
          });
        }
      }
    }
    return refused;
  }

  private async insert(entries: readonly LedgerEntry[]): Promise<void> {
    await this.db
      .insertInto('ledger_entry')
      .values(entries.map(rowOf))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }

  async history({ cell, version, ring, failures, since, limit }: HistoryQuery): Promise<History> {
    let query = this.db.selectFrom('ledger_entry').selectAll();
    if (cell !== undefined) query = query.where('cell', '=', cell);
    if (version !== undefined) query = query.where('version', '=', version);
    if (ring !== undefined) query = query.where('ring', '=', ring);
    if (failures) query = query.where('kind', '=', 'failure');
    if (since !== undefined) query = query.where('at', '>=', new Date(since));
    const rows = await query
      .orderBy('at', 'desc')
      .orderBy('seq', 'desc')
      .limit(limit + 1)
      .execute();
    return within(rows.slice(0, limit).map(entryOf), rows.length > limit);
  }

  /** All entries of these acts within a time, oldest first. */
  async between({ since, until }: ReportQuery, acts: readonly string[]): Promise<LedgerEntry[]> {
    const entries: LedgerEntry[] = [];
    for (let after: Pick<Selectable<EntryTable>, 'at' | 'seq'> | null = null; ; ) {
      let query = this.db
        .selectFrom('ledger_entry')
        .selectAll()
        .where('act', 'in', acts)
        .where('at', '>=', new Date(since))
        .where('at', '<', new Date(until));
      if (after) query = query.where(isAfter(after));
      const rows = await query.orderBy('at').orderBy('seq').limit(PAGE).execute();
      entries.push(...rows.map(entryOf));
      after = rows.at(-1) ?? null;
      if (rows.length < PAGE) return entries;
    }
  }

  /** What stood when a report's time began, oldest first: the last word on each ring, and the newest ones on packages. */
  async before({ since }: Pick<ReportQuery, 'since'>): Promise<LedgerEntry[]> {
    const earlier = this.db.selectFrom('ledger_entry').selectAll().where('at', '<', new Date(since));
    const ofRings = await earlier
      .where('act', '=', STANDS.ofRings)
      .where('ring', 'is not', null)
      .distinctOn('ring')
      .orderBy('ring')
      .orderBy('at', 'desc')
      .orderBy('seq', 'desc')
      .execute();
    const ofPackages = await earlier
      .where('act', 'in', STANDS.ofPackages)
      .orderBy('at', 'desc')
      .orderBy('seq', 'desc')
      .limit(MOST_BEFORE)
      .execute();
    return [...ofRings, ...ofPackages].sort(inOrder).map(entryOf);
  }

  /** What stands by the entries of this cluster, and of those that no cluster is named in. */
  async standing(cluster: string, now: number): Promise<Standing> {
    const newest = (acts: readonly string[], most: number) =>
      this.db
        .selectFrom('ledger_entry')
        .selectAll()
        .where('act', 'in', acts)
        .where('cluster', 'in', [cluster, ''])
        .orderBy('at', 'desc')
        .orderBy('seq', 'desc')
        .limit(most)
        .execute();
    const rows = [...(await newest(OF_PEOPLE, MOST_OF_PEOPLE)), ...(await newest(OF_PACKAGES, MOST_OF_PACKAGES))];
    rows.sort(inOrder);
    return standingOf(rows.map(entryOf), now);
  }
}

const inOrder = (
  a: Pick<Selectable<EntryTable>, 'at' | 'seq'>,
  b: Pick<Selectable<EntryTable>, 'at' | 'seq'>,
): number => a.at.getTime() - b.at.getTime() || Number(a.seq) - Number(b.seq);

const isAfter =
  ({ at, seq }: Pick<Selectable<EntryTable>, 'at' | 'seq'>) =>
  (where: ExpressionBuilder<LedgerTables, 'ledger_entry'>) =>
    where.or([where('at', '>', at), where.and([where('at', '=', at), where('seq', '>', seq)])]);

/** As many of the entries as an answer may have. */
function within(entries: LedgerEntry[], more: boolean): History {
  let left = MOST_BYTES;
  const fit: LedgerEntry[] = [];
  for (const entry of entries) {
    left -= Buffer.byteLength(JSON.stringify(entry));
    if (left < 0) return { entries: fit, more: true };
    fit.push(entry);
  }
  return { entries: fit, more };
}

/** Classes 22 and 23 of SQLSTATE: what was to be written cannot be, whoever tries again. */
const isAboutData = (error: unknown): boolean =>
  /^2[23]/.test(String((error as { code?: unknown } | null)?.code ?? ''));

function rowOf(entry: LedgerEntry): Insertable<EntryTable> {
  const { id, at, cluster, kind, act, by, version, ring, cell, reason, url, outcome, jobId, evidence, tookMs, facts } =
    storable(entry) as LedgerEntry;
  return {
    ...{ id, at, cluster, kind, act, by },
    version: version ?? null,
    ring: ring ?? null,
    cell: cell ?? null,
    reason: reason ?? null,
    url: url ?? null,
    outcome: outcome ?? null,
    job_id: jobId ?? null,
    evidence: evidence === undefined ? null : JSON.stringify(evidence),
    took_ms: tookMs ?? null,
    facts: facts === undefined ? null : JSON.stringify(facts),
  };
}

function entryOf(row: Selectable<EntryTable>): LedgerEntry {
  const {
    id,
    at,
    cluster,
    kind,
    act,
    by,
    version,
    ring,
    cell,
    reason,
    url,
    outcome,
    job_id,
    evidence,
    took_ms,
    facts,
  } = row;
  const optional = {
    ...{ version, ring, cell, reason, url, outcome, evidence, facts },
    jobId: job_id,
    tookMs: took_ms === null ? null : Number(took_ms),
  };
  const there = Object.entries(optional).filter(([, value]) => value !== null);
  const whole = { id, at: at.toISOString(), cluster, kind: kind as LedgerKind, act, by };
  return { ...whole, ...Object.fromEntries(there) } as LedgerEntry;
}

/** PostgreSQL takes neither NUL nor half of a surrogate pair in a text. */
function storable(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.from(value.replaceAll('\0', ''), 'utf8').toString('utf8');
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [storable(name), storable(inner)]));
}
