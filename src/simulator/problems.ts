import type { Problem } from '../contract/problem.js';
import type { z } from '../contract/zod.js';

/** An input that cannot be used; `problems` names every place that is wrong. */
export class InputError extends Error {
  constructor(
    readonly input: string,
    readonly problems: Problem[],
  ) {
    super(problems.map((problem) => `${input}: ${describeProblem(problem)}`).join('\n'));
    this.name = 'InputError';
  }
}

export const describeProblem = (problem: Problem): string =>
  `${problem.path === '' ? '' : `${problem.path}: `}${problem.value}; expected ${problem.expected}`;

/** What zod found wrong with `input`, under `root`, as problems with paths like `faults[2].share`. */
export function problemsOf(error: z.ZodError, input: unknown, root = ''): Problem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: pathText(root, [...issue.path, key]),
        value: render(valueAt(input, [...issue.path, key])),
        expected: 'no such field',
      }));
    }
    return [
      { path: pathText(root, issue.path), value: render(valueAt(input, issue.path)), expected: expectation(issue) },
    ];
  });
}

const expectation = (issue: z.core.$ZodIssue): string =>
  issue.message.replace(/^Invalid input: expected /, '').replace(/, received \w+$/, '');

function pathText(root: string, path: PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return root === '' ? text.replace(/^\./, '') : `${root}${text}`;
}

function valueAt(input: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value !== null && typeof value === 'object' ? Reflect.get(value, part) : undefined),
    input,
  );
}

/** A short rendering of a value for a message. */
export function render(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
