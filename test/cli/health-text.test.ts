import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { JudgedCell } from '../../src/cli/health/judge.js';
import { cellText, ringText } from '../../src/cli/health/text.js';
import { NO_COLOURS, type View } from '../../src/cli/paint.js';
import type { CellVerdict, Evidence, HealthPolicy, RingVerdict, Sample } from '../../src/contract/health.js';
import { NOW, VERSION } from './harness.js';

const MINUTE = 60_000;
const DEPLOYED = NOW - 5 * MINUTE;
const view = (width = Number.POSITIVE_INFINITY): View => ({ now: NOW, width, colours: NO_COLOURS });

const policy: HealthPolicy = {
  windowMs: 10 * MINUTE,
  baselineMs: 60 * MINUTE,
  intervalMs: MINUTE,
  minSamples: 5,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 60 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals: { errors: { query: 'errors', worse: 'higher', slo: 0.005 } },
};
const ring = { ring: 3, name: 'early-adopters', cells: [] };

/** A sample a minute, the last one at `endMs`. */
const minutes = (count: number, endMs: number, value: number): Sample[] =>
  Array.from({ length: count }, (_, at) => [endMs - (count - 1 - at) * MINUTE, value]);

const burning = (cell: string): Evidence => ({
  signal: 'errors',
  rule: 'burn-rate',
  verdict: 'unhealthy',
  cell,
  package: VERSION,
  fromMs: DEPLOYED + MINUTE,
  toMs: NOW,
  samples: 5,
  value: 0.3,
  baseline: 0.005,
  threshold: 0.072,
  sentence: 'errors burns the budget of its objective 0.005 60 times too fast',
});

function judged(cell: string, more: Partial<CellVerdict> = {}, now = 0.001): JudgedCell {
  const sentence = `${cell} is ${more.verdict ?? 'healthy'}: ${more.evidence?.[0]?.sentence ?? '1 findings, none against it'}`;
  const seen = { package: VERSION, atMs: NOW, sentence, evidence: [] };
  return {
    verdict: { cell, verdict: 'healthy', quiet: false, ...seen, ...more },
    problems: [],
    observation: {
      cell,
      expected: VERSION,
      running: VERSION,
      deployedAtMs: DEPLOYED,
      nowMs: NOW,
      baseline: { errors: minutes(60, DEPLOYED, 0.001) },
      after: { errors: minutes(5, NOW, now) },
      readiness: 'ready',
      smokeTests: null,
      before: null,
    },
  };
}

const sick = judged('cell-8', { verdict: 'unhealthy', evidence: [burning('cell-8')] }, 0.3);
const quiet = judged('cell-9', { quiet: true });
const unknown = {
  ...judged('cell-7', { verdict: 'inconclusive', package: null }),
  problems: ['errors (now) is not known: Prometheus answered in part only'],
};

const ringVerdict = (more: Partial<RingVerdict> = {}): RingVerdict => ({
  verdict: 'unhealthy',
  scope: 'local',
  atMs: NOW,
  sentence: 'cell-8 of 4 is unhealthy',
  evidence: [burning('cell-8')],
  cells: [],
  looks: { spent: 0, lastMs: 0 },
  ...more,
});

const shown = (lines: readonly string[]): string => `\n${lines.join('\n')}\n`;

describe('the health of a cell', () => {
  it('is its verdict, why, each finding, and each signal drawn before and since the deployment', () => {
    expect(shown(cellText({ ring, policy, judged: sick }, view()))).toMatchSnapshot();
  });

  it('draws a cell that nothing was deployed to over all that was measured lately', () => {
    const asItIs = judged('cell-8');
    const after = { errors: minutes(30, NOW, 0.001) };
    const baseline = { errors: minutes(60, NOW - 30 * MINUTE, 0.002) };
    const observation = { ...asItIs.observation, deployedAtMs: null, baseline, after };
    const lines = cellText({ ring, policy, judged: { ...asItIs, observation } }, view());
    expect(lines.slice(-2)).toEqual([
      'SIGNAL  1h BEFORE     LAST 30m      USUAL  NOW',
      'errors  ████████████  ▁▁▁▁▁▁▁▁▁▁▁▁  0.002  0.001',
    ]);
  });

  it('says that a cell without traffic is quiet', () => {
    expect(cellText({ ring, policy, judged: quiet }, view())[0]).toBe('cell-9  healthy (quiet)  ring 3 early-adopters');
  });

  it('says what could not be measured, and what is only in shadow', () => {
    const lines = cellText({ ring, policy: { ...policy, mode: 'shadow' }, judged: unknown }, view());
    expect(lines[1]).toMatch(/shadow: judged, and not obeyed$/);
    expect(lines.at(-1)).toBe('! errors (now) is not known: Prometheus answered in part only');
  });

  it('says where there is nothing to measure', () => {
    const lines = cellText({ ring, policy: { ...policy, signals: {} }, judged: judged('cell-8') }, view());
    expect(lines.at(-1)).toBe('ring 3 has no health signals in the topology: nothing is measured');
  });
});

describe('the health of a ring', () => {
  const cells = [judged('cell-6'), unknown, sick, quiet];
  const health = { ring, policy, verdict: ringVerdict(), package: VERSION, cells, quarantined: ['cell-10'] };

  it('counts its cells, names those that are not plainly healthy, and draws all of them and the accused', () => {
    expect(shown(ringText(health, view()))).toMatchSnapshot();
  });

  it('fits a narrow terminal', () => {
    const lines = ringText(health, view(60));
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(60);
  });

  it('says with how many cells on another package those on the new one were compared', () => {
    const old = judged('cell-6');
    const mixed = [sick, { ...old, observation: { ...old.observation, running: 'another' } }];
    expect(ringText({ ...health, cells: mixed }, view())[1]).toContain(`on ${VERSION}, compared with 1 on another`);
  });

  it('without cells has nothing to judge', () => {
    const verdict = ringVerdict({ verdict: 'inconclusive', scope: 'none', sentence: '', evidence: [] });
    const lines = ringText({ ...health, verdict, package: null, cells: [], quarantined: [] }, view());
    expect(lines).toEqual(['ring 3 early-adopters  inconclusive', 'measured 10:15:00Z', 'it has no cells to judge']);
  });
});
