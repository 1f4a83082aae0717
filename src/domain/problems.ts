import type { Problem } from '../contract/problem.js';
import { z } from '../contract/zod.js';
import { nearest } from './nearest.js';

type Step = PropertyKey;
type Issue = z.core.$ZodIssue;

const MAX_VALUE_LENGTH = 80;
const MAX_PROBLEMS = 1_000;

/**
 * Every problem zod found in `input`, with its path, the value found there and what was expected in plain words.
 * A message that a schema gives itself is taken as those words. With `schema`, an unknown key is answered with the
 * nearest known one, or with all of them.
 */
export function problemsFromZod(error: z.core.$ZodError, input: unknown, schema?: z.core.$ZodType): Problem[] {
  const told = error.issues.slice(0, MAX_PROBLEMS).flatMap((issue) => problemsOf(issue, input, schema));
  return bounded(told, error.issues.length - MAX_PROBLEMS);
}

/**
 * The first 1,000 problems, and one that counts the others: a rejection is a message of Temporal's, and one above 4 MB
 * would fail its workflow task again and again.
 *
 * @param untold problems that are not even in the list
 */
export function bounded(problems: Problem[], untold = 0): Problem[] {
  const more = Math.max(0, problems.length - MAX_PROBLEMS) + Math.max(0, untold);
  if (more === 0) return problems;
  const rest = { path: '', value: `${more} more problems`, expected: 'none; mend these first' };
  return [...problems.slice(0, MAX_PROBLEMS), rest];
}

/** One line a problem, `path: found …, expected …`; of more than `limit` the rest is only counted. */
export function formatProblems(problems: readonly Problem[], limit = Number.POSITIVE_INFINITY): string {
  const lines = problems.slice(0, limit).map((p) => `${p.path || '(whole)'}: found ${p.value}, expected ${p.expected}`);
  if (problems.length > limit) lines.push(`… and ${problems.length - limit} more`);
  return lines.join('\n');
}

/** A short JSON rendering of a value; `missing` for undefined. */
export function renderValue(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = toJson(value);
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH - 1)}…`;
}

/** A path as people write it: `rings[2].cells[0].id`. */
export function renderPath(steps: readonly Step[]): string {
  return steps.map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i ? '.' : ''}${String(step)}`)).join('');
}

function problemsOf(issue: Issue, input: unknown, schema: z.core.$ZodType | undefined): Problem[] {
  const problem = (steps: readonly Step[], expected: string): Problem => ({
    path: renderPath(steps),
    value: renderValue(valueAt(input, steps)),
    expected,
  });
  if (issue.code === 'unrecognized_keys') {
    const known = schema ? knownKeys(schema, issue.path, input) : [];
    return issue.keys.map((key) => problem([...issue.path, key], unknownKeyHint(key, known)));
  }
  if (issue.code === 'invalid_key') {
    const key = renderValue(issue.path.at(-1));
    return [{ path: renderPath(issue.path), value: key, expected: `a name that is ${expectedAll(issue.issues)}` }];
  }
  return [problem(issue.path, expectedOf(issue))];
}

function unknownKeyHint(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  if (near) return `a known field; did you mean ${near}?`;
  return known.length > 0 ? `a known field: one of ${known.join(', ')}` : 'a known field';
}

// zod's own English; every other message was written in a schema, and says what is expected there.
const ZODS_OWN_WORDS = /^(Invalid |Too (big|small)|Unrecognized key)/;

const TYPE_WORDS: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'text',
};

function expectedOf(issue: Issue): string {
  if (!ZODS_OWN_WORDS.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.join(', ')}`;
    case 'too_small':
      return `${sizeWords(issue.origin)}at least ${issue.minimum}`;
    case 'too_big':
      return `${sizeWords(issue.origin)}at most ${issue.maximum}`;
    case 'invalid_format':
      return issue.pattern ? `text that matches ${issue.pattern}` : `text in the form of ${issue.format}`;
    case 'invalid_union':
      return issue.errors.map(expectedAll).join(' or ') || issue.message;
    default:
      return issue.message;
  }
}

const expectedAll = (issues: readonly Issue[]): string => [...new Set(issues.map(expectedOf))].join(' and ');

function sizeWords(origin: string): string {
  if (origin === 'string') return 'a number of characters of ';
  return origin === 'array' || origin === 'set' ? 'a number of entries of ' : '';
}

function valueAt(input: unknown, steps: readonly Step[]): unknown {
  return steps.reduce<unknown>(
    (at, step) =>
      at !== null && typeof at === 'object' && Object.hasOwn(at, step) ? Reflect.get(at, step) : undefined,
    input,
  );
}

/** The keys of the object schema that `steps` leads to, from `schema` down. */
function knownKeys(schema: z.core.$ZodType, steps: readonly Step[], input: unknown): string[] {
  let at: z.core.$ZodType | undefined = schema;
  for (const step of steps) at = at && below(unwrap(at), step);
  const found = at && unwrap(at);
  return found instanceof z.ZodObject ? Object.keys(found.shape) : optionKeys(found, valueAt(input, steps));
}

function optionKeys(schema: z.core.$ZodType | undefined, value: unknown): string[] {
  if (!(schema instanceof z.ZodUnion) || value === null || typeof value !== 'object') return [];
  return schema.options.map(unwrap).flatMap((o) => (o instanceof z.ZodObject ? Object.keys(o.shape) : []));
}

function below(schema: z.core.$ZodType, step: Step): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return schema instanceof z.ZodObject ? schema.shape[String(step)] : undefined;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const wrapped = schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable;
  return wrapped ? unwrap(schema.unwrap()) : schema;
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
