import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Activities, WatchRingOrder } from '../src/contract/activities.js';
import type { CellObservation, LooksState, RingVerdict } from '../src/contract/health.js';
import { ringRolloutId } from '../src/contract/ids.js';
import type { RingHealthNote, WatchedCells } from '../src/contract/internal.js';
import { z } from '../src/contract/zod.js';
import { judgeRing, Memo, NotReadyLooks, type RingJudgement } from '../src/domain/health/index.js';
import { asksForAct, beforeOf, isOtherDoubt, noteOf } from '../src/domain/ring/health.js';
import { unpackCells } from '../src/domain/snapshot.js';
import { type TemporalClient, tellPass, whileWanted } from './ask-temporal.js';
import { type HealthDependencies, pastProblem, unlessPastUnknown } from './health.js';
import { heartbeating } from './heartbeat.js';
import { type CellToObserve, createObserve, type Observe } from './observe.js';
import { jittered, pauseFor } from './patience.js';
import { Rounds } from './rounds.js';
import { ShadowTally } from './shadow-tally.js';

export interface RingHealthDependencies extends HealthDependencies {
  client: TemporalClient;
}

/** A day of five signals of a thousand cells is some hundred megabytes. */
const PASTS_KEPT = 1_000;

/** More cells of which too little is known are not named one by one. */
const UNKNOWN_AT_MOST = 100;

/** Looks that count are minutes apart: with the usual window the pass is told of them every hour or so. */
const LOOKS_STEP = 16;

const memorySchema = z.object({ looks: z.object({ spent: z.number(), lastMs: z.number() }).nullable() });

/** `watchRing`: the health of a ring under a package. See `Activities`. */
export function createWatchRing(dependencies: RingHealthDependencies): Activities['watchRing'] {
  return (order) => {
    const before = memorySchema.safeParse(Context.current().info.heartbeatDetails).data?.looks ?? order.looks;
    const watch = new RingWatch(dependencies, order, before);
    return heartbeating(
      () => ({ looks: watch.looks }),
      async ({ signal }) => {
        for (;;) {
          const watched = await watch.ask(signal);
          if (watched?.over) return null;
          const verdict = watched && (await watch.look(watched, signal));
          if (verdict) return verdict;
          if (!watch.isAwaited) await pauseFor(jittered(order.policy.intervalMs), signal);
        }
      },
    );
  };
}

class RingWatch {
  private readonly observe: Observe | null;
  private readonly cells;
  private readonly memo = new Memo();
  private readonly notReady: NotReadyLooks;
  private readonly tally: ShadowTally;
  /** Pasts that were measured: by cell, and by the deployment that ended them. */
  private readonly baselines = new Map<string, CellObservation['baseline']>();
  private readonly rounds = new Rounds();
  /** How often the pass was asked. */
  private asked = 0;
  /** The pass waits for a word that has to be about every cell: nobody pauses between looks. */
  isAwaited = false;
  /** What the pass was told last. */
  private told: RingHealthNote | null = null;
  /**
   * So many looks the pass counts as spent: as many as were, rounded up, so that it is not told of each. A watch that begins
   * anew with them errs to the safe side, by one step at most.
   */
  private reserved: number;

  constructor(
    { prometheus, ...dependencies }: RingHealthDependencies,
    private readonly order: WatchRingOrder,
    /** What earlier looks spent of the error allowed. */
    public looks: LooksState | null,
  ) {
    this.observe = prometheus ? createObserve({ ...dependencies, prometheus }) : null;
    this.client = dependencies.client;
    this.notReady = new NotReadyLooks(order.policy.intervalMs / 2);
    this.reserved = looks?.spent ?? 0;
    this.tally = new ShadowTally(order.policy);
    this.cells = unpackCells(order.cellsGz);
  }

  private readonly client: RingHealthDependencies['client'];

  private get pass() {
    return this.client.workflow.getHandle(ringRolloutId(this.order.ring));
  }

  /** What the pass wants watched; null where it does not answer now: it is asked again. */
  async ask(signal: AbortSignal): Promise<WatchedCells | null> {
    try {
      const watched = await whileWanted(this.client, signal, () =>
        this.pass.query<WatchedCells, [number]>('watched', this.asked),
      );
      return watched.requestId === this.order.requestId ? watched : { ...watched, over: true };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof WorkflowNotFoundError) throw error;
      return null;
    } finally {
      this.asked += 1;
    }
  }

  /** Answers a verdict that something must be done about. */
  async look(watched: WatchedCells, signal: AbortSignal): Promise<RingVerdict | null> {
    const { judged, doubts, ...verdict } = await this.judge(watched, signal);
    this.looks = verdict.looks;
    const isShadow = this.order.policy.mode === 'shadow';
    if (!isShadow && asksForAct(verdict, watched)) return verdict;
    const note = this.rounds.note({ ...noteOf(verdict), ...doubts }, watched.rounds);
    const isNewCount = isShadow && this.tally.note(judged, watched, this.cells);
    const isNews = this.isNews(note, watched);
    if (isNews || isNewCount || this.looks.spent > this.reserved) {
      this.reserved = Math.max(this.reserved, LOOKS_STEP * Math.ceil(this.looks.spent / LOOKS_STEP));
      const looks = { ...this.looks, spent: this.reserved };
      const beside = { looks, ...(isShadow ? { cells: this.tally.counts } : {}) };
      await tellPass(this.client, this.order, 'ringHealth', { ...note, ...beside }, signal);
      this.told = note;
    }
    return null;
  }

  /** Before the pass has its word for the end of its clock every cell must have been in a look. */
  private isNews(note: RingHealthNote, { tellAfterMs }: WatchedCells): boolean {
    const { told } = this;
    const { verdict, scope, atMs } = note;
    const isWaitedFor = tellAfterMs !== null && (told?.atMs ?? 0) < tellAfterMs && atMs >= tellAfterMs;
    this.isAwaited = isWaitedFor && !this.rounds.isWhole;
    if (isWaitedFor) return this.rounds.isWhole;
    return told === null || told.verdict !== verdict || told.scope !== scope || isOtherDoubt(told, note);
  }

  private async judge({ onNew, onOld, before }: WatchedCells, signal: AbortSignal): Promise<Judged> {
    const { policy, version } = this.order;
    if (!this.observe) return this.unknown('there is no Prometheus: PROMETHEUS_URL is not set');
    const news = onNew.map(([index, begunAtMs, deployedAtMs, smoked]) =>
      this.toObserve(index, {
        expected: version,
        begunAtMs,
        deployedAtMs,
        smoked,
        before: beforeOf(this.idOf(index), before[index]),
      }),
    );
    const none = { expected: null, begunAtMs: null, deployedAtMs: null, smoked: 0, before: null } as const;
    const olds = onOld.map((index) => this.toObserve(index, none));
    const observed = await this.observe({ cells: [...news, ...olds], policy }, signal);
    if (observed.outcome === 'unavailable') return this.unknown(observed.reason);
    const { observations } = observed;
    const bare = new Set(observed.problems.flatMap((p) => (pastProblem([p], policy) === null ? [] : [p.cell])));
    // Others are there to be compared with: without one of them there is one less.
    const judgedHere = new Set(news.map(({ id }) => id));
    const unknown = pastProblem(
      observed.problems.filter(({ cell }) => judgedHere.has(cell)),
      policy,
    );
    [...news, ...olds].forEach((cell, i) => {
      if (!bare.has(cell.id)) this.keepPast(keyOf(cell), observations[i]?.baseline ?? {});
    });
    const verdict = judgeRing({
      onNew: observations.slice(0, news.length).map((observation) => this.notReady.counted(observation)),
      onOld: observations.slice(news.length),
      policy,
      looks: this.looks,
      nowMs: Date.now(),
      memo: this.memo,
    });
    const inDoubt = verdict.judged.flatMap((c) => (c.verdict === 'inconclusive' || bare.has(c.cell) ? [c.cell] : []));
    return { ...unlessPastUnknown(verdict, unknown), doubts: doubtsOf(inDoubt) };
  }

  /** Those that were not asked for the longest are measured again when their turn comes. */
  private keepPast(key: string, baseline: CellObservation['baseline']): void {
    this.baselines.delete(key);
    this.baselines.set(key, baseline);
    if (this.baselines.size <= PASTS_KEPT) return;
    for (const oldest of this.baselines.keys()) {
      this.baselines.delete(oldest);
      return;
    }
  }

  private idOf(index: number): string {
    return this.cells[index]?.id ?? '';
  }

  private toObserve(index: number, known: Known): CellToObserve {
    const { id = '', tenant = '', url = '', labels } = this.cells[index] ?? {};
    const { smoked, ...rest } = known;
    const cell: CellToObserve = { id, tenant, url, labels, ...rest, smokeTests: smoked ? 'passed' : null };
    const baseline = this.baselines.get(keyOf(cell));
    return baseline ? { ...cell, baseline } : cell;
  }

  private unknown(reason: string): Judged {
    return {
      verdict: 'inconclusive',
      scope: 'none',
      atMs: Date.now(),
      sentence: `nothing is known of ring ${this.order.ring}: ${reason}`,
      evidence: [],
      cells: [],
      looks: this.looks ?? { spent: 0, lastMs: 0 },
      judged: [],
      doubts: { unmeasured: true },
    };
  }
}

type Doubts = Pick<RingHealthNote, 'unknown' | 'unmeasured'>;
type Judged = RingJudgement & { doubts: Doubts };

const doubtsOf = (cells: string[]): Doubts =>
  cells.length === 0 || cells.length > UNKNOWN_AT_MOST ? {} : { unknown: cells };

type Known = Pick<CellToObserve, 'expected' | 'begunAtMs' | 'deployedAtMs' | 'before'> & { smoked: 0 | 1 };

const keyOf = ({ id, begunAtMs }: CellToObserve): string => `${id} ${begunAtMs}`;
