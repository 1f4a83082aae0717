import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_ALERTING, runbookUrlOf } from '../../activities/alert-content.js';
import { NOT_IN_FORCE } from '../../src/cli/not-in-force.js';
import { parseTopology } from '../../src/domain/topology/index.js';
import { withSimulatorUrls } from '../../src/simulator/topology-urls.js';
import { anchors, codeSpans, ROOT, read, resolved, rows, sources } from './markdown.js';

/** Words of the code that a document has to explain. */

const spans = (path: string): string[] => codeSpans({ path, text: read(path) });

/** The words that a page does not have as `code`. */
const missingIn = (path: string, words: readonly string[]): string[] => {
  const known = new Set(spans(path));
  return words.filter((word) => !known.has(word));
};

/** The members of a union of words in the contract. */
function union(name: string): string[] {
  const [, body = ''] = new RegExp(`export type ${name} =([^;]+);`).exec(read('src/contract/status.ts')) ?? [];
  const members = [...body.matchAll(/'([^']+)'/g)].map(([, word = '']) => word);
  expect(members, name).not.toEqual([]);
  return members;
}

/** The words that no table of a page begins a row with, nor a sentence says that this version does not have them. */
function unexplainedIn(path: string, words: readonly string[]): string[] {
  const page = read(path);
  const [, absent = ''] = /^The kinds? (.+?) do(?:es)? not occur/ms.exec(page) ?? [];
  const first = rows(page).map(([cell = '']) => cell);
  const explained = codeSpans({ path, text: [absent, ...first].join('\n') });
  return words.filter((word) => !explained.includes(word));
}

/** The anchor that an alert of this name links to. */
function anchorOf(name: string): string {
  const url = runbookUrlOf({ name, severity: 's2', cluster: 'prod', summary: '', next: [] }, DEFAULT_ALERTING);
  expect(url).toMatch(/^docs\/runbooks\.md#/);
  return url.split('#')[1] ?? '';
}

describe('words that people see', () => {
  test.each([
    ['RolloutState', 'docs/operating.md'],
    ['RingState', 'docs/operating.md'],
    ['CellState', 'docs/operating.md'],
    ['WaitKind', 'docs/operating.md'],
    ['BrakeMode', 'docs/operating.md'],
    ['RingOutcome', 'docs/release-tools.md'],
    ['RefusalCode', 'docs/release-tools.md'],
  ])('%s: %s explains each', (name, path) => {
    expect(unexplainedIn(path, union(name))).toEqual([]);
  });

  test('operating.md names every alert, and runbooks.md has a section about it', () => {
    const code = sources('src/domain/alerts').map(({ text }) => text);
    const raised = /^ +(?:name: |[^\n]*name: |[^\n]*ofRing\([^\n]*)[^\n]*$/gm;
    const lines = code.flatMap((text) => text.match(raised) ?? []);
    const names = lines.flatMap((line) => [...line.matchAll(/'([A-Z]\w+)'/g)].map(([, name = '']) => name));
    expect(new Set(names).size).toBe(23);
    expect(missingIn('docs/operating.md', names)).toEqual([]);
    const runbooks = anchors(read('docs/runbooks.md'));
    expect(names.filter((name) => !runbooks.includes(anchorOf(name)))).toEqual([]);
  });

  test('runbooks.md says of every alert what it means, what was done already and what to do', () => {
    const sections = read('docs/runbooks.md').split('\n## ').slice(1);
    expect(sections.length).toBeGreaterThan(15);
    for (const section of sections) {
      const parts = [...section.matchAll(/^\*\*(.+?)\.\*\*/gm)].map(([, part]) => part);
      expect(parts, section.split('\n')[0]).toEqual(['Means', 'Done already', 'To do']);
      expect(section, section.split('\n')[0]).toMatch(/cellctl \w+/);
    }
  });

  test('architecture.md knows every signal between our workflows', () => {
    const code = read('workflows/shared/signals.ts').split('between our own workflows')[1] ?? '';
    const names = [...code.matchAll(/defineSignal(?:<[^(]*>)?\('(\w+)'\)/g)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(15);
    expect(missingIn('docs/architecture.md', names)).toEqual([]);
  });
});

describe('settings', () => {
  const table = rows(read('README.md').split('## Settings')[1]?.split('\n## ')[0] ?? '');
  const named = table.flatMap(([variable = '']) => [...variable.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, n = '']) => n));

  test('of the code are all in the README', () => {
    const inCode = [...read('src/config/settings.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name = '']) => name);
    expect(inCode).toContain('AMP_URL');
    expect(inCode.filter((name) => !named.includes(name))).toEqual([]);
  });

  test('of the README are all in the code', () => {
    const code = ['src/config', 'src/cli'].flatMap((path) => sources(path).map(({ text }) => text)).join('\n');
    // The SDK reads the rest of Temporal's own settings.
    const ours = named.filter((name) => !/^TEMPORAL_(TLS|CONFIG|PROFILE)/.test(name));
    expect(ours.length).toBeGreaterThan(10);
    for (const name of ours) expect(code, name).toContain(name);
  });
});

describe('limits.md', () => {
  const page = read('docs/limits.md');
  const quoted = rows(page).flatMap(([limit = '', where = '']) => {
    const [, code, path] = /^`(.+?)` in \[.+?\]\((.+?)\)$/.exec(where) ?? [];
    return code && path ? [{ limit, code, path: resolved('docs/limits.md', path) }] : [];
  });

  test('quotes the code as it stands', () => {
    expect(quoted.length).toBeGreaterThan(40);
    expect(quoted.filter(({ code, path }) => !read(path).includes(code))).toEqual([]);
  });

  test('names every field of a topology that nobody obeys yet', () => {
    const code = read('src/domain/topology/not-in-force.ts');
    const names = [...code.matchAll(/(\w+): (?:isWritten|hasEntries|isTrue)/g)].map(([, name = '']) => name);
    expect(code).toContain('NOT_IN_FORCE');
    expect(missingIn('docs/limits.md', names)).toEqual([]);
  });
});

test('limits.md names every command that cellctl says it does not have yet', () => {
  expect(NOT_IN_FORCE.length).toBeGreaterThan(0);
  const named = spans('docs/limits.md').map((word) => word.replace(/^cluster /, ''));
  expect(NOT_IN_FORCE.filter((command) => !named.includes(command))).toEqual([]);
});

describe('the topology of the first session', () => {
  const topology = parse(read('docs/examples/topology.yaml'));

  test('is one, and everything in it is obeyed', () => {
    expect(parseTopology(topology)).toMatchObject({ ok: true, notInForce: [] });
  });

  test('has its cells where the simulator of the README serves them', () => {
    const { rings } = topology as { rings: { cells: { id: string; url?: string }[] }[] };
    const served = withSimulatorUrls({ rings }, 'http://127.0.0.1:8180').rings.flatMap((ring) => ring.cells ?? []);
    for (const { id, url } of rings.flatMap((ring) => ring.cells)) {
      if (url !== undefined) expect(url).toBe(served.find((cell) => cell.id === id)?.url);
    }
    expect(read('README.md')).toContain('--topology docs/examples/topology.yaml --port 8180');
  });
});

test('the map of the house has every folder with code in it', () => {
  const folders = (path: string) =>
    readdirSync(join(ROOT, path), { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []));
  const ofSource = folders('src').map((name) => `src/${name}/`);
  const atTop = ['workflows/', 'activities/', 'worker/', 'test/', 'bench/', 'docs/'];
  const map = read('README.md').split('## Map of the house')[1] ?? '';
  for (const name of [...atTop, ...ofSource]) expect(map).toContain(`[${name}](`);
});
