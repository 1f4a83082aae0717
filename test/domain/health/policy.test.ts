import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { resolveHealth } from '../../../src/domain/health/index.js';
import { parseTopology } from '../../../src/domain/topology/index.js';
import { accepted, cell, written } from '../topology/topologies.js';

const exampleFile = new URL('../../fixtures/topology.example.yaml', import.meta.url);
const example = accepted(parse(readFileSync(exampleFile, 'utf8')));

const apdex = { query: 'apdex', worse: 'lower', slo: 0.998, zScore: 3 };
const errors = { query: 'errors', worse: 'higher', slo: 0.0005 };
const traffic = { query: 'traffic', worse: 'both', zScore: 4 };

const ofRing = (shared: unknown, own: unknown, more: Record<string, unknown> = {}) =>
  resolveHealth(
    accepted(written({ health: shared, rings: [{ ring: 2, cells: [cell('a')], health: own, ...more }] })),
    2,
  );

describe('the health policy of a ring', () => {
  it('is the default where nothing is written: no signals, so nothing to be quiet about', () => {
    expect(resolveHealth(accepted(written()), 2)).toEqual({
      windowMs: 600_000,
      baselineMs: 86_400_000,
      intervalMs: 30_000,
      minSamples: 10,
      onInconclusive: 'hold',
      inconclusiveTimeoutMs: 7_200_000,
      mode: 'enforce',
      quiet: null,
      signals: {},
    });
  });

  it('of the example says what its comments say are the defaults', () => {
    const { signals, quiet, ...rest } = resolveHealth(example, 2);
    const { signals: none, quiet: nothing, ...defaults } = resolveHealth(accepted(written()), 2);
    expect(rest).toEqual(defaults);
    expect([none, nothing]).toEqual([{}, null]);
    // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
    expect(quiet).toEqual({ signal: 'traffic', below: 1, forMs: 600_000, then: 'smoke-tests' });
    expect(Object.keys(signals)).toEqual(['apdex', 'errors', 'traffic', 'saturation']);
    expect(signals.saturation).toEqual({
      query: 'max(gitlab_component_saturation:ratio{cell="{{cell}}"})',
      worse: 'higher',
      max: 0.9,
      zScore: 4,
    });
  });

  it('of a ring that other tools deploy has its own signals alone, and no rule about traffic that is not measured', () => {
    const { signals, quiet } = resolveHealth(example, 1);
    expect(Object.keys(signals)).toEqual(['deployment']);
    expect(quiet).toBeNull();
  });

  it('of a ring that other tools deploy, without signals of its own, has the shared ones', () => {
    const { signals } = ofRing({ signals: { apdex } }, undefined, { deployedBy: 'external' });
    expect(Object.keys(signals)).toEqual(['apdex']);
  });

  it('lays the ring over the topology, its signals one by one', () => {
    const policy = ofRing(
      { window: '5m', interval: '10s', mode: 'shadow', signals: { apdex, errors } },
      { window: '0s', signals: { traffic, errors: { ...errors, slo: 0.01, mode: 'shadow' } } },
    );
    expect([policy.windowMs, policy.intervalMs, policy.mode]).toEqual([0, 10_000, 'shadow']);
    expect(policy.signals).toEqual({ apdex, errors: { ...errors, slo: 0.01, mode: 'shadow' }, traffic });
  });

  it('has the default rule about quiet cells where there is a signal named traffic, and none about one it lacks', () => {
    expect(ofRing({ signals: { traffic } }, undefined).quiet?.signal).toBe('traffic');
    expect(ofRing({ signals: { apdex } }, undefined).quiet).toBeNull();
  });

  it('of an unknown ring is an error that names the rings', () => {
    expect(() => resolveHealth(accepted(written()), 9)).toThrow(new RangeError('no ring 9; there are: 0, 1, 2'));
  });
});

describe('an objective', () => {
  test.each([
    ['of a signal that is worse both ways', { query: 'x', worse: 'both', slo: 0.9 }, /worse: lower or worse: higher/],
    ['of all good events', { query: 'x', worse: 'lower', slo: 1 }, /share of good events/],
    ['of more than all good events', { query: 'x', worse: 'lower', slo: 100 }, /share of good events/],
    ['of no bad events', { query: 'x', worse: 'higher', slo: 0 }, /above 0/],
  ])('%s is refused', (_what, signal, expected) => {
    const parsed = parseTopology(written({ health: { signals: { signal } } }));
    if (parsed.ok) throw new Error('accepted');
    expect(parsed.problems).toEqual([
      { path: 'health.signals.signal.slo', value: String(signal.slo), expected: expect.stringMatching(expected) },
    ]);
  });

  it('may be written in percent where the signal is', () => {
    const signals = { apdex: { query: 'x', worse: 'lower', slo: 99.8 } };
    expect(parseTopology(written({ health: { signals } })).ok).toBe(true);
  });
});
