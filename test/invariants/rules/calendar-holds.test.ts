import { describe, expect, it } from 'vitest';
import { act, at, graduated, job, judged, ms, pdm, ring, rollback, status, topology, V1, V2 } from '../logs.js';
import { calendarHolds } from './calendar-holds.js';

const freezes = [{ from: at(100), to: at(200) }];
const frozen = topology({}, { 2: { policy: { freezes } } });
const judge = (jobs: ReturnType<typeof job>[], more: object = {}) =>
  judged(calendarHolds, { topology: frozen, jobs, acts: [graduated()], ...more });

describe('in a freeze', () => {
  it('nothing goes forward', () => {
    expect(judge([job({ cell: 'a1', at: 150 }), pdm({ cell: 'a2', at: 160 })])).toEqual([
      'configure-a1-150',
      'post_deploy_migrations-a2-160',
    ]);
  });

  it('cells go back', () => {
    expect(judge([rollback({ cell: 'a1', at: 150 })])).toEqual([]);
  });

  it('other rings go on, and what was ordered before it', () => {
    expect(judge([job({ cell: 'b1', at: 150 }), job({ cell: 'a1', at: 99, takes: 60 })])).toEqual([]);
  });

  it('an order may be on its way for a moment, and no longer', () => {
    expect(judge([job({ cell: 'a1', at: 101 }), job({ cell: 'a2', at: 102 })])).toEqual(['configure-a2-102']);
  });

  it('it may begin again at its end', () => {
    expect(judge([job({ cell: 'a1', at: 199 }), job({ cell: 'a2', at: 200 })])).toEqual(['configure-a1-199']);
  });

  it('goes forward what a person named, in the ring named, from then on', () => {
    const override = (more: object) => act('override', 120, { wait: 'freeze', ring: 2, reason: 'x', ...more });
    const jobs = [job({ cell: 'a1', at: 110 }), job({ cell: 'a2', at: 130 })];
    const acts = (more: object = {}) => ({ acts: [graduated(), override(more)] });
    expect(judge(jobs, acts())).toEqual(['configure-a1-110']);
    expect(judge(jobs, acts({ wait: 'deploy-window' }))).toHaveLength(2);
    expect(judge(jobs, acts({ ring: 3 }))).toHaveLength(2);
    expect(judge([job({ cell: 'a2', at: 130, version: V2 })], acts())).toHaveLength(1);
  });

  it.each([
    ['that has none does not pass it by', [], freezes],
    ['may have its own', freezes, []],
  ])('a lane %s', (_what, ofLane, ofRing) => {
    const lanes = topology({ lanes: { urgent: { freezes: ofLane } } }, { 2: { policy: { freezes: ofRing } } });
    const acts = [act('graduate', 0, { lane: 'urgent' })];
    expect(judge([job({ cell: 'a1', at: 150 })], { topology: lanes, acts })).toEqual(['configure-a1-150']);
  });

  it('counts what was in force when the ring was entered', () => {
    const later = act('applyTopology', 120, { topology: topology() }, { version: null });
    const first = act('applyTopology', 0, { topology: frozen }, { version: null });
    const acts = [graduated(), first, later];
    const entered = (seconds: number) => ({ [V1]: status({ rings: [ring(2, { startedAt: at(seconds) })] }) });
    expect(judge([job({ cell: 'a1', at: 150 })], { acts, statuses: entered(90) })).toEqual([]);
    expect(judge([job({ cell: 'a1', at: 110 })], { acts, statuses: entered(90) })).toHaveLength(1);
    const late = act('applyTopology', 80, { topology: frozen }, { version: null, answeredAt: ms(95) });
    const open = act('applyTopology', 0, { topology: topology() }, { version: null });
    const acted = { acts: [graduated(), open, late] };
    expect(judge([job({ cell: 'a1', at: 150 })], { ...acted, statuses: entered(90) })).toEqual([]);
    expect(judge([job({ cell: 'a1', at: 150 })], { ...acted, statuses: entered(96) })).toHaveLength(1);
    // What was there before the first act that is known.
    const base = {
      topology: topology(),
      acts: [graduated(), act('applyTopology', 95, { topology: frozen }, { version: null })],
    };
    expect(judge([job({ cell: 'a1', at: 150 })], { ...base, statuses: entered(90) })).toEqual([]);
    expect(judge([job({ cell: 'a1', at: 150 })], { ...base, statuses: entered(96) })).toHaveLength(1);
    const back = act('applyTopology', 130, { topology: frozen }, { version: null });
    expect(judge([job({ cell: 'a1', at: 150 })], { acts: [...acts, back], statuses: entered(140) })).toHaveLength(1);
  });
});

describe('outside deploy windows', () => {
  // The log begins on a Tuesday at 10:00 UTC, which is 11:00 in Berlin.
  const windows = (days: string[], from: string, to: string) =>
    topology({}, { 2: { policy: { deployWindows: [{ days, from, to, timezone: 'Europe/Berlin' }] } } });
  const atTen = (policy: object) => judge([job({ cell: 'a1', at: 30 })], { topology: policy });

  it('nothing goes forward', () => {
    expect(new Date(ms(0)).getUTCDay()).toBe(2);
    expect(atTen(windows(['tue'], '11:00', '12:00'))).toEqual([]);
    expect(atTen(windows(['tue'], '10:00', '11:00'))).toHaveLength(1);
    expect(atTen(windows(['wed'], '11:00', '12:00'))).toHaveLength(1);
  });

  it('across midnight the day is the one on which the window began', () => {
    expect(atTen(windows(['mon'], '23:00', '12:00'))).toEqual([]);
    expect(atTen(windows(['tue'], '23:00', '12:00'))).toHaveLength(1);
    expect(atTen(windows(['tue'], '10:00', '00:00'))).toEqual([]);
  });

  it.each([
    ['in those of the ring alone', '11:00', '12:00', '13:00', '14:00', 1],
    ['in those of the lane alone', '13:00', '14:00', '11:00', '12:00', 1],
    ['in those of both', '11:00', '12:00', '10:00', '14:00', 0],
  ])('of a lane as well: %s', (_where, from, to, laneFrom, laneTo, violations) => {
    const open = (since: string, until: string) => [
      { days: ['tue'], from: since, to: until, timezone: 'Europe/Berlin' },
    ];
    const lanes = topology(
      { lanes: { urgent: { deployWindows: open(laneFrom, laneTo) } } },
      { 2: { policy: { deployWindows: open(from, to) } } },
    );
    const acts = [act('graduate', 0, { lane: 'urgent' })];
    expect(judge([job({ cell: 'a1', at: 30 })], { topology: lanes, acts })).toHaveLength(violations);
  });
});
