import { describe, expect, it } from 'vitest';
import { clusterTree } from '../../src/cli/cluster-tree.js';
import { NO_COLOURS, type View } from '../../src/cli/paint.js';
import { rolloutTree } from '../../src/cli/tree.js';
import type { WaitingFor } from '../../src/contract/status.js';
import { markdownOfCluster, markdownOfRing } from '../../src/domain/details.js';
import { NOW } from './harness.js';
import { clusterStatus, ringStatus, rolloutStatus } from './statuses.js';

const view: View = { now: NOW, width: Number.POSITIVE_INFINITY, colours: NO_COLOURS };
const frozen: WaitingFor = {
  kind: 'freeze',
  ring: 3,
  since: '2026-12-23T10:10:00Z',
  until: '2027-01-02T00:00:00Z',
  detail: 'frozen: holidays',
  next: ['cellctl override --wait freeze --ring 3 V --reason "…"'],
};

describe('a wait for the calendar is told with kind, next opening, reason and what to type', () => {
  it('in the tree of a rollout', () => {
    const lines = rolloutTree(rolloutStatus({ state: 'waiting', waitingFor: frozen, rings: [] }), view);
    expect(lines.slice(2)).toEqual([
      expect.stringMatching(/^waits for freeze in ring 3 until 2027-01-02 00:00Z \(in 9d/),
      '  frozen: holidays',
      `  → ${frozen.next[0]}`,
    ]);
  });

  it('in the queue of a cluster, in the tree and in the Web UI', () => {
    const entry = { ring: 3, version: 'V', purpose: 'deploy' as const, since: frozen.since };
    const queue = [
      { ...entry, held: frozen },
      { ...entry, ring: 4, held: null },
    ];
    const status = { ...clusterStatus, queue };
    const queued = clusterTree(status, view).filter((text) => text.startsWith('queued'));
    expect(queued).toEqual([
      expect.stringMatching(
        /^queued ring 3 deploy V .*: freeze until 2027-01-02 00:00Z \(in 9d.*\), frozen: holidays$/,
      ),
      expect.stringMatching(/^queued ring 4 deploy V \S+ ago$/),
    ]);
    const markdown = markdownOfCluster(status);
    expect(markdown).toContain('waits for **freeze** until 2027-01-02T00:00:00Z: frozen: holidays');
  });
});

it('a ring that only observes says what it would do, in the tree and in the Web UI', () => {
  const sentence = 'only observed: would deploy 3 of 4 cells';
  const ring = ringStatus({
    ring: 2,
    name: 'r',
    total: 4,
    state: 'mixed',
    observed: { sentence, would: 3, waits: [] },
  });
  expect(rolloutTree(rolloutStatus({ rings: [ring] }), view).join('\n')).toContain(sentence);
  expect(markdownOfRing('V', ring)).toContain(sentence);
});
