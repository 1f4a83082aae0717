import type { CellObservation } from '../../../src/contract/health.js';
import { judgeCell, judgeRing, Memo } from '../../../src/domain/health/index.js';
import { benchPolicy } from '../policy.js';
import type { CellView, Judge, Look, Opinion } from '../rollout.js';

const NEW = 'new';
const OLD = 'old';

function observationOf(view: CellView, nowMs: number): CellObservation {
  const isNew = view.deployedAtMs !== null;
  return {
    cell: view.id,
    expected: isNew ? NEW : OLD,
    running: isNew ? NEW : OLD,
    deployedAtMs: view.deployedAtMs,
    nowMs,
    bornMs: view.bornMs ?? Number.MIN_SAFE_INTEGER,
    baseline: view.baseline,
    after: view.after(),
    readiness: 'ready',
    smokeTests: isNew ? 'passed' : null,
    before: null,
  };
}

/** The judge as the coordinator asks it: each look at the whole ring. */
export const ours: Judge = {
  name: 'ours',
  begin() {
    const policy = benchPolicy();
    const memo = new Memo();
    let looks = null as Parameters<typeof judgeRing>[0]['looks'];
    return ({ nowMs, onNew, onOld }: Look): Opinion => {
      const observe = (view: CellView) => observationOf(view, nowMs);
      const verdict = judgeRing({ onNew: onNew.map(observe), onOld: onOld.map(observe), policy, looks, nowMs, memo });
      looks = verdict.looks;
      const holds = new Set(verdict.cells.map(({ cell }) => cell));
      return { stop: verdict.verdict === 'unhealthy', holds, why: `${verdict.scope}: ${verdict.sentence}` };
    };
  },
};

/** The same judge where every cell is judged by itself, and nothing is known of the others. */
export const oursAlone: Judge = {
  name: 'ours, each cell alone',
  begin() {
    const policy = benchPolicy();
    const memo = new Memo();
    return ({ nowMs, onNew }: Look): Opinion => {
      const verdicts = onNew.map((view) => judgeCell(observationOf(view, nowMs), policy, { memo }));
      return {
        stop: verdicts.some(({ verdict }) => verdict === 'unhealthy'),
        holds: new Set(verdicts.filter(({ verdict }) => verdict === 'inconclusive').map(({ cell }) => cell)),
      };
    };
  },
};
