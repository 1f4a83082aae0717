import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { clusterTree } from '../../src/cli/cluster-tree.js';
import { changedFacts, clusterFacts, rolloutFacts } from '../../src/cli/facts.js';
import { type Colours, NO_COLOURS, type View } from '../../src/cli/paint.js';
import { rolloutTree } from '../../src/cli/tree.js';
import type { SeenRollout } from '../../src/client/index.js';
import type {
  Act,
  CellException,
  CheckRecord,
  ClusterRing,
  ClusterStatus,
  QueueEntry,
} from '../../src/contract/status.js';
import { NOW, VERSION } from './harness.js';
import { clusterStatus, halted, ringStatus, rolloutStatus } from './statuses.js';

const view = (width = Number.POSITIVE_INFINITY): View => ({ now: NOW, width, colours: NO_COLOURS });
const tagged: Colours = {
  bold: (s) => s,
  dim: (s) => s,
  red: (s) => `<red>${s}</red>`,
  green: (s) => `<green>${s}</green>`,
  yellow: (s) => `<yellow>${s}</yellow>`,
  cyan: (s) => s,
};

describe('the tree of a rollout', () => {
  it('says what it waits for, until when, why and what to type, and names every exception', () => {
    expect(`\n${rolloutTree(halted, view()).join('\n')}\n`).toMatchSnapshot();
  });

  it('fits a narrow terminal: lines are cut, commands are not', () => {
    const lines = rolloutTree(halted, view(60));
    expect(`\n${lines.join('\n')}\n`).toMatchSnapshot();
    const cut = lines.filter((text) => !text.includes('→ cellctl'));
    expect(Math.max(...cut.map((text) => stringWidth(text)))).toBeLessThanOrEqual(60);
  });

  it('is short where nothing is known yet, and says how it ended', () => {
    const ended = { state: 'superseded', supersededBy: '17.11', finishedAt: '2026-12-23T10:10:30Z', graduatedAt: null };
    const status = rolloutStatus({ ...ended, chartVersion: null, state: 'superseded' });
    expect(rolloutTree(status, view())).toEqual([
      `${status.version}  superseded`,
      'ended 4m 30s ago, took 10m 30s · not graduated · superseded by 17.11',
    ]);
  });

  it('says when each ring should converge, and of those of which nobody knows why', () => {
    const version = halted.version;
    const unknown = 'ring 3 waits for approval';
    const expected = [
      { ring: 2, version, expectedAt: '2026-12-23T10:45:00Z' },
      { ring: 3, version, unknown },
      { ring: 4, version, unknown },
    ];
    expect(rolloutTree({ ...rolloutStatus(), expected }, view()).slice(2)).toEqual([
      'ring 2 is expected to converge 10:45:00Z',
      'ring 3, 4: nobody knows when: ring 3 waits for approval',
    ]);
  });

  it('of a workflow that was terminated says that this is how it stood, and what begins it anew', () => {
    const lines = (more: Partial<SeenRollout>) =>
      rolloutTree({ ...halted, rings: [], brakes: [], rejected: [], cutOff: 'terminated', ...more }, view()).slice(2);
    const says = 'its workflow was terminated: this is how it stood then; how its rings stand now: cellctl status';
    expect(lines({})).toEqual([says, `  → cellctl graduate ${halted.version}`]);
    expect(lines({ graduatedAt: null })).toEqual([says, `  → cellctl deploy --ring 0 ${halted.version}`]);
  });

  it('says who aborted it and why, until it was opened again', () => {
    const abort = { at: '2026-12-23T10:12:00Z', act: 'abort', by: 'ann', reason: 'INC-4711', outcome: 'recorded' };
    const restart = { ...abort, act: 'restart', reason: 'it was the network' };
    const lines = (acts: Act[]) => rolloutTree(rolloutStatus({ state: 'aborted', acts }), view()).slice(2);
    expect(lines([restart, abort])).toEqual(['aborted by ann 3m ago: INC-4711']);
    expect(lines([abort, restart])).toEqual([]);
  });

  it('names a check that failed, unless it has passed since or was overridden', () => {
    const failed = { ring: 0, name: 'qa', outcome: 'failed', by: 'ci', at: '2026-12-23T10:14:00Z' } as const;
    const ring = ringStatus({ ring: 0, name: 'qa', total: 1, converged: 1, state: 'converged' });
    const lines = (...checks: CheckRecord[]) => rolloutTree(rolloutStatus({ rings: [ring], checks }), view()).slice(3);
    expect(lines(failed)).toEqual(['     ! check qa failed, said ci 1m ago']);
    expect(lines(failed, { ...failed, outcome: 'passed' })).toEqual([]);
    expect(lines({ ...failed, overriddenBy: 'ann' }, { ...failed, ring: 2 })).toEqual([]);
  });

  describe('under a cell that health stopped', () => {
    const of = (evidence: unknown, width?: number) => {
      const reason = 'unhealthy after its job: cell-8 is unhealthy: errors burns its budget';
      const exceptions = [{ cell: 'cell-8', state: 'rolled-back', reason, evidence }] as CellException[];
      const ring = ringStatus({ ring: 3, name: 'early', total: 1, rolledBack: 1, exceptions, exceptionsTotal: 1 });
      return rolloutTree(rolloutStatus({ rings: [ring] }), view(width)).slice(3);
    };
    const found = { signal: 'errors', rule: 'burn-rate', verdict: 'unhealthy', value: 0.30871, threshold: 0.072 };

    it('the evidence stands in one line, also where the reason is cut', () => {
      const line = '       errors 0.3087, the line is 0.072 (burn-rate)';
      expect(of([{ ...found, signal: null, value: null }, found])[1]).toBe(line);
      expect(of([found], 60)[1]).toBe(line);
      expect(of([{ ...found, threshold: null }])[1]).toBe('       errors 0.3087 (burn-rate)');
    });

    it('there is no such line where it has no numbers, is in shadow, or cannot be read', () => {
      for (const evidence of [undefined, [], 'none', [{ ...found, value: null }], [{ ...found, shadow: true }]]) {
        expect(of(evidence)).toHaveLength(1);
      }
    });
  });

  it('paints after it has cut, so that no colour leaks', () => {
    const ring = ringStatus({ ring: 2, name: 'first', total: 4, converged: 2, failed: 1, pending: 1, state: 'halted' });
    const [, , line] = rolloutTree(rolloutStatus({ rings: [ring] }), { now: NOW, width: 38, colours: tagged });
    expect(line).toBe('└─ 2 first <green>█████</green><red>!!!</red>░░ 2/4 <red>halted</red>  1 f…');
  });

  it('shows an end that has come as now, and another day with its date', () => {
    const wait = { kind: 'bake', ring: 2, since: '2026-12-23T09:00:00Z', detail: 'ring 2 bakes', next: [] } as const;
    const line = (until: string) => rolloutTree(rolloutStatus({ waitingFor: { ...wait, next: [], until } }), view())[2];
    expect(line('2026-12-23T10:14:59Z')).toBe('waits for bake in ring 2 until 10:14:59Z (now)');
    expect(line('2026-12-23T10:19:10Z')).toBe('waits for bake in ring 2 until 10:19:10Z (in 4m 10s)');
    expect(line('2026-12-25T12:15:00Z')).toBe('waits for bake in ring 2 until 2026-12-25 12:15Z (in 2d 2h)');
  });
});

describe('the tree of a cluster', () => {
  it('shows what each ring runs, what is queued and which brakes are on', () => {
    expect(`\n${clusterTree(clusterStatus, view()).join('\n')}\n`).toMatchSnapshot();
  });
});

describe('the tree of a cluster says what to type', () => {
  const lines = (more: Partial<ClusterStatus>, width?: number) =>
    clusterTree({ ...clusterStatus, rings: [], brakes: [], graduated: [], queue: [], ...more }, view(width)).slice(1);
  const by = { by: 'ann', since: '2026-12-23T10:10:00Z' };
  const reason = 'errors on every cell of the ring, as in the incident of the day before';

  it('to end a block, to approve what waits for that, and to resume auto-deploy', () => {
    expect(lines({ blocked: [{ version: VERSION, ...by, reason: 'x' }] })).toEqual([
      `blocked ${VERSION} and later by ann 5m ago: x`,
      `  → cellctl unblock ${VERSION} --reason "…"`,
    ]);
    const approve = `cellctl approve --ring 3 ${VERSION}`;
    const queued = (kind: 'approval' | 'ring-turn'): QueueEntry => ({
      ...{ ring: 3, version: VERSION, purpose: 'deploy', since: by.since },
      held: { kind, ring: 3, since: by.since, detail: 'so it is', next: [approve] },
    });
    expect(lines({ queue: [queued('approval')] })[1]).toBe(`  → ${approve}`);
    expect(lines({ queue: [queued('ring-turn')] })).toHaveLength(1);
    expect(lines({ autoDeploy: { state: 'paused', reason: 'x' } })).toEqual(['  → cellctl resume --reason "…"']);
  });

  it('to let a brake go, and cuts no reason to the width of a terminal', () => {
    const brake = { brakeId: 'b1', scope: 'outer' as const, mode: 'finish-cells' as const, ...by, reason };
    const off = '  → cellctl brake off --id b1 --reason "…"';
    const head = 'brake b1 on the outer rings (finish-cells) by ann 5m ago:';
    expect(lines({ brakes: [brake] })).toEqual([`${head} ${reason}`, off]);
    expect(lines({ brakes: [brake] }, 60)).toEqual([
      head,
      '  errors on every cell of the ring, as in the incident of',
      '  the day before',
      off,
    ]);
    expect(rolloutTree(rolloutStatus({ brakes: [{ ...brake, scope: 'package' }] }), view()).at(-1)).toBe(
      `  → cellctl brake off --id b1 --version ${VERSION} --reason "…"`,
    );
  });

  it('what it found where it began without memory, for a day, unless its brake does', () => {
    const found = 'ring 0: 1 on 17.9';
    const coldStart = { at: by.since, found };
    const says = `began without memory 5m ago; found ${found}`;
    expect(lines({ coldStart })).toEqual([says]);
    expect(lines({ coldStart: { ...coldStart, at: '2026-12-22T10:10:00Z' } })).toEqual([]);
    const brakes = clusterStatus.brakes.map((b) => ({ ...b, reason: `began without state; found ${found}` }));
    expect(lines({ coldStart, brakes })).not.toContain(says);
  });

  it('on which package an outer ring is not kept, and why', () => {
    const [two] = clusterStatus.rings as [ClusterRing];
    const reconcile = (ring: number) => ({
      ...{ nextAt: null, looking: [], found: [] },
      notKept: [{ ring, reason: 'it is blocked' }],
    });
    const says = (ring: ClusterRing) => lines({ rings: [ring], reconcile: reconcile(ring.ring) }).join('\n');
    const kept = 'kept on no package: it is blocked';
    expect(says({ ...two, converged: VERSION })).toContain(kept);
    expect(says({ ...two, exceptionsTotal: 1 })).toContain(kept);
    expect(says(two)).not.toContain(kept);
    expect(says({ ...two, converged: VERSION, rollout: 'x' })).not.toContain(kept);
    expect(says({ ...two, ring: 1, converged: VERSION })).not.toContain(kept);
  });
});

describe('where nothing can be drawn over', () => {
  it('everything is told once', () => {
    expect(`\n${changedFacts(null, rolloutFacts(halted)).join('\n')}\n`).toMatchSnapshot();
    expect(changedFacts(rolloutFacts(halted), rolloutFacts(halted))).toEqual([]);
    expect(changedFacts(null, clusterFacts(clusterStatus))).toHaveLength(5);
  });

  it('only what changed is told again', () => {
    const [qa, ...rings] = halted.rings;
    if (!qa) throw new Error('there is no ring');
    const after = { ...halted, rings: [{ ...qa, state: 'migrating' as const }, ...rings] };
    expect(changedFacts(rolloutFacts(halted), rolloutFacts(after))).toEqual(['ring 0 qa: migrating, 1/1']);
  });
});
