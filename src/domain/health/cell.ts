import type { CellObservation, CellVerdict, Evidence, HealthPolicy, Signal, Verdict } from '../../contract/health.js';
import { burnRate } from './burn-rate.js';
import { commonChange } from './common.js';
import { gapOf, isStill, stoodStill } from './data.js';
import { type Comparisons, comparisonsOf, shareOfEach } from './error-control.js';
import { bounded, compare, evidenceOf, type Finding, shortened, worstOf } from './evidence.js';
import { otherPackage } from './expected.js';
import { limits } from './limits.js';
import { explainedByLoad } from './load.js';
import { notWorse } from './not-worse.js';
import { lostFinding, quietFindings, stillnessOf, wasQuiet } from './quiet.js';
import { readiness } from './readiness.js';
import type { Reading } from './readings.js';
import { type Common, type Context, zScoreFinding } from './robust.js';
import { type Direction, directionsOf } from './scale.js';
import { Memo, type Subject } from './subject.js';
import { type Loaded, sustainedFinding } from './sustained.js';
import { youngFinding } from './young.js';

/** What helps to judge a cell, and may be left out. */
export interface CellContext {
  /** Cells of the ring that still run the old package, observed at the same time: what they do too, the package did not. */
  control?: readonly CellObservation[];
  /** Other cells of the ring that run the new package, observed at the same time. */
  peers?: readonly CellObservation[];
  /** What earlier looks worked out of the same samples. */
  memo?: Memo;
}

/** So many other cells are enough to compare with. */
const OTHERS_AT_MOST = 25;

/**
 * Judges one cell by what was measured on it after its deployment, with the package that is expected seen running. What
 * was measured earlier, on another package, too seldom, not lately, or is no number, is never healthy: it is
 * inconclusive. Pure; the same observation always gives the same verdict.
 */
export function judgeCell(
  observation: CellObservation,
  policy: HealthPolicy,
  { control = [], peers = [], memo = new Memo() }: CellContext = {},
): CellVerdict {
  const others = { control: chosen(control, observation), peers: chosen(peers, observation) };
  const comparisons = comparisonsOf(policy, cellsOf([observation, ...control, ...peers]));
  return new CellJudge(observation, policy, others, memo, comparisons).verdict();
}

const cellsOf = (observations: readonly CellObservation[]): number => new Set(observations.map((o) => o.cell)).size;

/** The same whatever order the cells come in. */
const chosen = (cells: readonly CellObservation[], { cell }: CellObservation): CellObservation[] =>
  cells
    .filter((other) => other.cell !== cell)
    .sort((a, b) => compare(a.cell, b.cell))
    .slice(0, OTHERS_AT_MOST);

const one = (finding: Finding | null): Finding[] => (finding === null ? [] : [finding]);

class CellJudge {
  private readonly names: readonly string[];
  private quiet = false;
  /** Whether nothing moves at all. */
  private readonly still: boolean;

  constructor(
    private readonly observation: CellObservation,
    private readonly policy: HealthPolicy,
    private readonly others: { control: readonly CellObservation[]; peers: readonly CellObservation[] },
    private readonly memo: Memo,
    private readonly comparisons: Comparisons,
  ) {
    this.names = Object.keys(policy.signals).sort(compare);
    this.still = this.allStill();
  }

  verdict(): CellVerdict {
    const { cell, running, nowMs } = this.observation;
    const evidence = this.evidence();
    const verdict = worstOf(evidence);
    const kept = bounded(evidence);
    const sentence = shortened(`${cell} is ${inWords(verdict, this.quiet)}: ${reasonOf(kept, verdict)}`);
    return { cell, verdict, quiet: this.quiet, package: running, atMs: nowMs, sentence, evidence: kept };
  }

  private evidence(): Evidence[] {
    const other = otherPackage(this.observation);
    if (other) return [evidenceOf(other, this.observation, false)];
    const ofCell = [...readiness(this.observation), ...smokeTests(this.observation)];
    const all = [...ofCell.map((finding) => this.counted(finding, false)), ...this.ofSignals()];
    if (all.length > 0) return all;
    const nothing = 'nothing was asked, so nothing is known';
    return [
      evidenceOf({ signal: null, rule: 'data', verdict: 'inconclusive', sentence: nothing }, this.observation, false),
    ];
  }

  /** A cell that was unhealthy before its deployment is held to that. */
  private counted(finding: Finding, shadow: boolean): Evidence {
    return evidenceOf(
      notWorse(finding, this.observation, this.policy, this.memo, this.comparisons),
      this.observation,
      shadow,
    );
  }

  private ofSignals(): Evidence[] {
    const { quiet } = this.policy;
    const traffic = quiet && this.signal(quiet.signal);
    if (!quiet || !traffic) return this.names.flatMap((name) => this.ofSignal(name));
    const reading = this.reading(quiet.signal, traffic);
    const gap = gapOf(reading, this.policy, false);
    const stillness = gap === null ? stillnessOf(reading, quiet) : 'no';
    this.quiet = stillness === 'quiet';
    const asked = this.names.filter((name) => isLevel(this.signal(name)));
    // Ratios of what may be next to no requests tell neither for nor against.
    if (gap !== null && wasQuiet(reading, quiet))
      return [this.counted(gap, false), ...asked.flatMap((name) => this.ofSignal(name))];
    if (stillness === 'no') return this.names.flatMap((name) => this.ofSignal(name));
    const isLost = stillness === 'lost';
    const instead = isLost
      ? [lostFinding(reading, quiet, this.policy)]
      : quietFindings(reading, quiet, this.observation);
    const compared = isLost ? this.zScores(quiet.signal, traffic) : [];
    return [
      // What stands for the ratios that are not asked counts, whatever counts of the signal itself.
      ...instead.map((finding) => this.counted(finding, false)),
      ...compared.map((finding) => this.counted(finding, this.isShadow(traffic))),
      ...asked.flatMap((name) => this.ofSignal(name)),
    ];
  }

  private ofSignal(name: string): Evidence[] {
    const signal = this.signal(name);
    if (!signal) return [];
    const reading = this.reading(name, signal);
    const gap = gapOf(reading, this.policy, this.still);
    const asked = this.quiet ? [] : this.zScores(name, signal);
    const burning = this.burnRate(name, signal);
    const findings = [...asked, ...(burning ? [burning] : []), ...limits(reading, this.policy)];
    const shadow = this.isShadow(signal);
    const guilty = findings.filter(({ verdict }) => verdict === 'unhealthy');
    const repeated = guilty.length > 0 ? stoodStill(reading, this.policy) : null;
    // What is missing acquits nothing, and excuses nothing either.
    const counting = repeated ? [gap ?? repeated] : gap ? [gap, ...guilty] : findings;
    return counting.map((finding) => this.counted(this.shared(finding, signal), shadow));
  }

  private burnRate(name: string, signal: Signal): Finding | null {
    const [direction = 'higher'] = directionsOf(signal);
    const { oneEvent } = this.memo.subject(name, signal, direction, this.observation, this.policy).past;
    return burnRate(this.reading(name, signal), this.policy, { oneEvent, byChance: shareOfEach(this.comparisons) });
  }

  private zScores(name: string, signal: Signal): Finding[] {
    const found = directionsOf(signal).flatMap((direction) => [
      ...one(this.zScore(name, signal, direction)),
      ...one(this.lasting(name, signal, direction)),
    ]);
    const worst = found.find(({ verdict }) => verdict === worstOfAll(found));
    return worst ? [worst] : [];
  }

  private zScore(name: string, signal: Signal, direction: Direction): Finding | null {
    const { observation, policy, memo, others } = this;
    const subject = (cell: CellObservation) => memo.subject(name, signal, direction, cell, policy);
    const common: Common = (change, untilMs) =>
      commonChange({ onOld: others.control.map(subject), onNew: others.peers.map(subject) }, change, untilMs);
    const byLoad = this.byLoad(name, subject(observation));
    return zScoreFinding(subject(observation), policy, { common, ...(byLoad ? { byLoad } : {}) }, this.comparisons);
  }

  /** Of what lasts: against its own past, or where it has none, against its ring. */
  private lasting(name: string, signal: Signal, direction: Direction): Finding | null {
    const loaded = (cell: CellObservation) => this.loaded(name, signal, direction, cell);
    const own = loaded(this.observation);
    const others = () => [...this.others.control, ...this.others.peers].map(loaded);
    return (own.subject.young ? youngFinding : sustainedFinding)(own, this.policy, others, this.comparisons);
  }

  private loaded(name: string, signal: Signal, direction: Direction, cell: CellObservation): Loaded {
    const { memo, policy } = this;
    const traffic = policy.quiet && name !== policy.quiet.signal ? this.signal(policy.quiet.signal) : undefined;
    return {
      subject: memo.subject(name, signal, direction, cell, policy),
      traffic: policy.quiet && traffic ? memo.subject(policy.quiet.signal, traffic, 'higher', cell, policy) : null,
    };
  }

  /** The signal that tells of traffic is the one that the quiet rule names. */
  private byLoad(name: string, subject: Subject): Context['byLoad'] | null {
    const { observation, policy, memo } = this;
    const traffic = policy.quiet && name !== policy.quiet.signal ? this.signal(policy.quiet.signal) : undefined;
    if (!policy.quiet || !traffic) return null;
    const load = memo.subject(policy.quiet.signal, traffic, 'higher', observation, policy);
    return (found, untilMs) => explainedByLoad(subject, load, found, untilMs);
  }

  /** Where most cells on the old package break the same line at the same time, a rollback would mend nothing. */
  private shared(finding: Finding, signal: Signal): Finding {
    if (finding.verdict !== 'unhealthy' || this.others.control.length < 3 || finding.signal === null) return finding;
    if (finding.rule !== 'burn-rate' && finding.rule !== 'max' && finding.rule !== 'min') return finding;
    const broken = this.others.control.filter((other) => this.breaks(other, finding, signal)).length;
    if (broken * 2 < this.others.control.length) return finding;
    const sentence = `${finding.sentence}; so do ${broken} of ${this.others.control.length} cells on the old package`;
    return { ...finding, verdict: 'inconclusive', sentence };
  }

  private breaks(other: CellObservation, { signal: name, rule }: Finding, signal: Signal): boolean {
    const reading = this.memo.reading(name ?? '', signal, other);
    const found =
      rule === 'burn-rate' ? burnRate(reading, this.policy) : limits(reading, this.policy).find((f) => f.rule === rule);
    return found?.verdict === 'unhealthy';
  }

  private isShadow({ mode }: Signal): boolean {
    return mode === 'shadow' && this.policy.mode === 'enforce';
  }

  private allStill(): boolean {
    const readings = this.names.flatMap((name) => {
      const signal = this.signal(name);
      return signal ? [this.reading(name, signal)] : [];
    });
    return readings.length > 1 && readings.every((reading) => isStill(reading, this.policy));
  }

  private reading(name: string, signal: Signal): Reading {
    return this.memo.reading(name, signal, this.observation);
  }

  private signal(name: string): Signal | undefined {
    return Object.hasOwn(this.policy.signals, name) ? this.policy.signals[name] : undefined;
  }
}

/** A signal that says something without traffic: neither a ratio of requests nor compared with a busy past. */
const isLevel = (signal: Signal | undefined): boolean =>
  signal !== undefined && signal.slo === undefined && (signal.min !== undefined || signal.max !== undefined);

const worstOfAll = (findings: readonly Finding[]): Verdict =>
  (['unhealthy', 'inconclusive', 'healthy'] as const).find((v) => findings.some(({ verdict }) => verdict === v)) ??
  'healthy';

function smokeTests({ smokeTests: outcome }: CellObservation): Finding[] {
  if (outcome === null) return [];
  const verdict = outcome === 'passed' ? 'healthy' : 'unhealthy';
  return [{ signal: null, rule: 'smoke-tests', verdict, sentence: `the smoke tests ${outcome}` }];
}

const inWords = (verdict: Verdict, quiet: boolean): string => (quiet ? `${verdict} (quiet)` : verdict);

function reasonOf(evidence: readonly Evidence[], verdict: Verdict): string {
  const counting = evidence.filter(({ shadow }) => !shadow);
  const [first] = counting.filter((e) => e.verdict === verdict);
  if (verdict !== 'healthy') return first?.sentence ?? 'no reason';
  const quiet = counting.find(({ rule }) => rule === 'quiet');
  return quiet?.sentence ?? `${counting.length} findings, none against it`;
}
