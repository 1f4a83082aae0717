import { describe, expect, test } from 'vitest';
import * as messages from '../../src/contract/messages.js';
import type { Problem } from '../../src/contract/problem.js';
import type { RingResult } from '../../src/contract/status.js';
import type { z } from '../../src/contract/zod.js';
import { problemsFromZod } from '../../src/domain/problems.js';
import { codeBlocks, documents, read } from './markdown.js';
import { argumentsOf, commandLines } from './shell.js';

/** Every message of a person, and the arguments of workflows, by name. */
const SCHEMAS: Record<string, () => z.ZodType> = {
  packageRolloutArgument: messages.packageRolloutArgument,
  deployRing: messages.deployRing,
  migrateRing: messages.migrateRing,
  graduate: messages.graduate,
  recordCheck: messages.recordCheck,
  engageBrake: messages.engageBrake,
  engageClusterBrake: messages.engageClusterBrake,
  releaseBrake: messages.releaseBrake,
  approveRing: messages.approveRing,
  override: messages.override,
  retryRing: messages.retryRing,
  skipCell: messages.skipCell,
  abort: messages.abort,
  restart: messages.restart,
  quarantineCell: messages.quarantineCell,
  readmitCell: messages.readmitCell,
  resumeAutoDeploy: messages.resumeAutoDeploy,
  applyTopology: messages.applyTopology,
  reconcile: messages.reconcile,
  blockVersion: messages.blockVersion,
  unblockVersion: messages.unblockVersion,
  packageRollbackArgument: messages.packageRollbackArgument,
  abortRollback: messages.abortRollback,
};

function problemsOf(name: string, payload: unknown): Problem[] {
  const schema = SCHEMAS[name]?.();
  if (!schema) return [{ path: '', value: name, expected: `a message: ${Object.keys(SCHEMAS).join(', ')}` }];
  const parsed = schema.safeParse(payload);
  return parsed.success ? [] : problemsFromZod(parsed.error, payload, schema);
}

/** Every field of a ring result: the compiler holds this to the contract. */
const RING_RESULT: Record<keyof RingResult, true> = {
  ring: true,
  version: true,
  outcome: true,
  blocking: true,
  code: true,
  wait: true,
  until: true,
  next: true,
  supersededBy: true,
  empty: true,
  startedAt: true,
  finishedAt: true,
  cells: true,
  exceptions: true,
  checks: true,
  smokeTests: true,
  health: true,
  observed: true,
};

const blocks = documents().flatMap(codeBlocks);
const examples = blocks
  .filter(({ language }) => language === 'json')
  .map(({ document, label, code }) => ({ document, label, payload: JSON.parse(code) as object }));

describe('JSON in the documents', () => {
  test('says which message it is', () => {
    expect(examples.length).toBeGreaterThan(8);
    expect(examples.filter(({ label }) => label === '')).toEqual([]);
  });

  test('is what its message takes', () => {
    const sent = examples.filter(({ label }) => label !== 'RingResult');
    const judged = sent.map((example) => ({ ...example, problems: problemsOf(example.label, example.payload) }));
    expect(judged.filter(({ problems }) => problems.length > 0)).toEqual([]);
  });

  test('shows a ring result with the fields that a ring result has', () => {
    const results = examples.filter(({ label }) => label === 'RingResult');
    expect(results).not.toEqual([]);
    for (const { payload } of results) {
      expect(Object.keys(payload).filter((field) => !(field in RING_RESULT))).toEqual([]);
    }
  });
});

interface Sent {
  line: string;
  name: string;
  payload: string;
}

const lines = blocks.flatMap((block) => commandLines(block));

/** The messages that a line of the `temporal` CLI sends. */
function sentBy(line: string): Sent[] {
  const args = argumentsOf('temporal', line) ?? [];
  const value = (flag: string) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
  const isCluster = value('--workflow-id') === 'cell-cluster';
  const isWithStart = value('--update-name') !== undefined || value('--signal-name') !== undefined;
  const isRollback = args.some((word) => word.startsWith('package-rollback/'));
  const called = (name: string) => {
    if (isRollback && name === 'abort') return 'abortRollback';
    return isCluster && name === 'engageBrake' ? 'engageClusterBrake' : name;
  };
  const sent = [
    { name: value('--update-name'), payload: value('--update-input') },
    { name: value('--signal-name'), payload: value('--signal-input') },
    { name: isWithStart && !isCluster ? 'packageRolloutArgument' : value('--name'), payload: value('--input') },
    { name: value('--type') === 'PackageRollback' ? 'packageRollbackArgument' : undefined, payload: value('--input') },
  ];
  return sent.flatMap(({ name, payload }) => (name && payload ? [{ line, name: called(name), payload }] : []));
}

describe('messages by the temporal CLI', () => {
  const sent = lines.flatMap(sentBy);

  test('are what the messages take', () => {
    const judged = sent.map(({ line, name, payload }) => ({ line, problems: problemsOf(name, JSON.parse(payload)) }));
    expect(judged.filter(({ problems }) => problems.length > 0)).toEqual([]);
  });

  test('show each message at least once', () => {
    const shown = new Set([...sent.map(({ name }) => name), ...examples.map(({ label }) => label)]);
    expect(Object.keys(SCHEMAS).filter((name) => !shown.has(name))).toEqual([]);
  });

  test('start a rollout only in the way that the contract names', () => {
    const withStart = lines.filter((line) => line.includes('-with-start'));
    expect(withStart.length).toBeGreaterThan(3);
    for (const line of withStart) expect(line).toContain('--id-conflict-policy UseExisting');
  });
});

test('operating.md has a section, a cellctl line or both for every message of the contract', () => {
  const page = read('docs/operating.md');
  const names = Object.keys(SCHEMAS).filter(
    (name) =>
      !['packageRolloutArgument', 'engageClusterBrake', 'packageRollbackArgument', 'abortRollback'].includes(name),
  );
  expect(names.filter((name) => !new RegExp(`\`${name}\`|--name ${name}\\b`).test(page))).toEqual([]);
});
