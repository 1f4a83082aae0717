import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLE_VERSION } from '../../src/cli/arguments.js';
import { hints } from '../../src/cli/demo/hints.js';
import { resolveTemporalCli } from '../../src/config/temporal-cli.js';
import { isIncomplete, problemOf } from './cellctl.js';
import { codeBlocks, codeSpans, documents, read, rows, sources } from './markdown.js';
import { argumentsOf, commandLines } from './shell.js';

const blocks = documents().flatMap(codeBlocks);
const typed = blocks.flatMap((block) => commandLines(block).map((line) => ({ document: block.document, line })));
const mentioned = documents().flatMap((document) =>
  codeSpans(document)
    .filter((line) => /^(npx )?cellctl(?! …)/.test(line))
    .map((line) => ({ document: document.path, line })),
);

interface Line {
  document: string;
  line: string;
}

/** The lines that `cellctl` would not take, and why not. */
async function wrong(lines: readonly Line[]): Promise<(Line & { code: string; message: string })[]> {
  const found = [];
  for (const { document, line } of lines) {
    const problem = await problemOf(argumentsOf('cellctl', line) ?? []);
    if (problem) found.push({ document, line, ...problem });
  }
  return found;
}

describe('cellctl in the documents', () => {
  const lines = typed.filter(({ line }) => argumentsOf('cellctl', line));

  test('is shown at work', () => {
    expect(lines.length).toBeGreaterThan(30);
  });

  test('has the commands, arguments and options that it is shown with', async () => {
    expect(await wrong(lines)).toEqual([]);
  });

  test('has the commands and options that sentences name', async () => {
    expect(mentioned.length).toBeGreaterThan(30);
    expect((await wrong(mentioned)).filter(({ code }) => !isIncomplete(code))).toEqual([]);
  });

  test('what somebody in a hurry types can be typed as it stands', async () => {
    const page = read('docs/operating.md').split('## ')[1] ?? '';
    expect(page).toMatch(/^I want to/);
    const commands = rows(page).flatMap(([, answer = '']) => [...answer.matchAll(/`(cellctl [^`]+)`/g)]);
    expect(commands.length).toBeGreaterThan(20);
    expect(await wrong(commands.map(([, line = '']) => ({ document: 'docs/operating.md', line })))).toEqual([]);
  });
});

/** What an expression in a command that people are told stands for. */
const MEANINGS: [RegExp, string][] = [
  [/^unblocked$/, ' --no-block'],
  [/^down$/, ' --allow-downtime cell-8'],
  [/version|^to$/i, EXAMPLE_VERSION],
  [/brakeId/, 'inc-4711'],
  [/^whose$/, ''],
  [/^where$/, ' --ring 3'],
  [/^mode$/, 'finish-cells'],
  [/^until$/, ' --expires 2h'],
  [/^wait$/, 'bake'],
  [/^kind$/, 'freeze'],
  [/cell|idOf/i, 'cell-8'],
  [/ring/i, '3'],
];

function filledIn(command: string): string {
  return command.replace(/\bVERSION\b/, EXAMPLE_VERSION).replace(/\$\{([^}]+)\}/g, (_, expression: string) => {
    const meaning = MEANINGS.find(([pattern]) => pattern.test(expression));
    if (!meaning) throw new Error(`say in this test what \${${expression}} stands for in: ${command}`);
    return meaning[1];
  });
}

describe('commands that people are told to type next', () => {
  const told = [...sources('src/domain'), ...sources('workflows')].flatMap(({ path, text }) =>
    [...text.matchAll(/(`|')(?:\\.|(?!\1)[^\n])*?(cellctl (?:\\.|(?!\1)[^\n])+)\1/g)].map(([, , command = '']) => ({
      document: path,
      line: filledIn(command),
    })),
  );

  test('can be typed', async () => {
    expect(told.length).toBeGreaterThan(8);
    expect(await wrong(told)).toEqual([]);
  });
});

describe('the temporal CLI in the documents', () => {
  const lines = typed.filter(({ line }) => argumentsOf('temporal', line));
  const VERSIONS = [
    '17.10.202503180906-6a387d336a7.c1c3e017782',
    '17.10.202503190906-7b498e447b8.d2d4f128893',
  ] as const;
  const help = new Map<string, string>();
  let temporal = '';

  const helpOf = async (command: string[]): Promise<string> => {
    const name = command.join(' ');
    if (!help.has(name)) help.set(name, (await promisify(execFile)(temporal, [...command, '--help'])).stdout);
    return help.get(name) ?? '';
  };

  beforeAll(async () => {
    temporal = await resolveTemporalCli({ env: process.env });
  }, 600_000);

  const problemsOf = async ({ document, line }: Line): Promise<string[]> => {
    const args = argumentsOf('temporal', line) ?? [];
    const command = args.slice(
      0,
      args.findIndex((word) => word.startsWith('-')),
    );
    const text = await helpOf(command);
    // A command that it does not know gets the help of the one above it.
    if (!text.includes(`temporal ${command.join(' ')} [flags]`)) return [`${document}: no such command: ${line}`];
    const unknown = args.filter((word) => word.startsWith('--') && !new RegExp(`${word}\\b`).test(text));
    return unknown.map((flag) => `${document}: no such flag ${flag}: ${line}`);
  };

  test('has the commands and flags that it is shown with', async () => {
    expect(lines.length).toBeGreaterThan(20);
    const problems: string[] = [];
    for (const line of lines) problems.push(...(await problemsOf(line)));
    expect(problems).toEqual([]);
  });

  test('and cellctl have what the demo tells to type', async () => {
    const [version, nextVersion] = VERSIONS;
    const env = { ...process.env, PATH: `${dirname(temporal)}:${process.env.PATH}` };
    const told = await hints(
      { address: '127.0.0.1:7233', simulatorUrl: 'http://127.0.0.1:8180', version, nextVersion },
      env,
    );
    const said = told.map((line) => ({ document: 'the demo', line: line.trim() }));
    const ofCellctl = said.filter(({ line }) => argumentsOf('cellctl', line));
    const ofTemporal = said.filter(({ line }) => argumentsOf('temporal', line));
    expect([ofCellctl.length, ofTemporal.length]).toEqual([8, 6]);
    expect(await wrong(ofCellctl)).toEqual([]);
    const problems = await Promise.all(ofTemporal.map(problemsOf));
    expect(problems.flat()).toEqual([]);
    // Typed in this order, none waits for one that comes after it.
    const at = (part: string) => ofCellctl.findIndex(({ line }) => line.includes(part));
    expect(at('brake off')).toBeLessThan(at('--watch'));
  });
});

test('every npm script that the documents name exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = documents().flatMap(({ text }) => [...text.matchAll(/npm run (?:--\S+ )?([a-z:]+)/g)]);
  expect(named.length).toBeGreaterThan(10);
  for (const [, name = ''] of named) expect(Object.keys(scripts)).toContain(name);
});
