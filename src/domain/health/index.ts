export { rangeOfQuery } from '../promql.js';
export { type CellContext, judgeCell } from './cell.js';
export { resolveHealth } from './policy.js';
export { isCounting, NotReadyLooks } from './readiness.js';
export { baselineStepMs } from './readings.js';
export { judgeRing, type RingJudgement, type RingObservation } from './ring.js';
export { Memo } from './subject.js';
export { fillTemplate, type TemplateCell } from './template.js';
