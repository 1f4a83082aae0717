import { describe, expect, it } from 'vitest';
import { judgeCell } from '../../../src/domain/health/index.js';
import { around, cellOf, policyOf } from './observations.js';

describe('a cell', () => {
  it('whose errors stay as they were is healthy once the window is over', () => {
    const verdict = judgeCell(cellOf({ errors: [around(0.0002)] }), policyOf());
    expect(verdict).toMatchObject({ cell: 'cell-1', verdict: 'healthy', quiet: false });
  });

  it('whose errors rise to the size of the objective is unhealthy by its own past', () => {
    const verdict = judgeCell(cellOf({ errors: [around(0.0002), around(0.0007)] }), policyOf());
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.evidence[0]).toMatchObject({ signal: 'errors', rule: 'z-score', verdict: 'unhealthy', samples: 10 });
  });
});
