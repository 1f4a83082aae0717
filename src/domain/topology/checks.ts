import type { Problem } from '../../contract/problem.js';
import { renderValue } from '../problems.js';
import { badFreezes, badWindows } from './calendar-checks.js';
import { asList, asObject, cellsOf, healthsOf, policiesOf, ringsOf } from './loose.js';

interface Place {
  path: string;
  value: unknown;
}

/**
 * What no single field can know: twins, and fields that need one another. Works on the input as it came, so that these
 * problems are listed beside those of the single fields and not only after them.
 */
export function crossChecks(input: unknown): Problem[] {
  return [
    ...twins(
      'a ring number',
      ringsOf(input).map(({ path, ring }) => ({ path: `${path}.ring`, value: ring.ring })),
    ),
    ...twins('a cell id', fieldOfCells(input, 'id')),
    ...twins('a tenant', fieldOfCells(input, 'tenant')),
    // A cell that is only read may well show the address of another one: nothing is deployed by it.
    ...twins('a cell url', fieldOfCells(input, 'url', isDeployed), sameUrl),
    ...cellsWithoutAddress(input),
    ...policiesOf(input).flatMap(({ path, policy }) => [...badWindows(path, policy), ...badFreezes(path, policy)]),
    ...policiesOf(input).flatMap(({ path, policy }) =>
      twins(
        'the name of a check',
        asList(policy.checks).map((c, i) => ({ path: `${path}.checks[${i}].name`, value: asObject(c).name })),
      ),
    ),
    ...quietWithoutSignal(input),
    ...objectivesWithoutMeaning(input),
  ];
}

const isDeployed = (cell: Record<string, unknown>): boolean => cell.observe !== true;

const sameUrl = (value: unknown): unknown =>
  typeof value === 'string'
    ? value.replace(/\/+$/, '').replace(/^[^/]*\/\/[^/]*/, (host) => host.toLowerCase())
    : value;

const fieldOfCells = (
  input: unknown,
  field: string,
  counts: (cell: Record<string, unknown>) => boolean = () => true,
): Place[] =>
  cellsOf(input)
    .filter(({ cell }) => counts(cell))
    .map(({ path, cell }) => ({ path: `${path}.${field}`, value: cell[field] }));

function twins(what: string, places: readonly Place[], identity: (value: unknown) => unknown = (v) => v): Problem[] {
  const first = new Map<unknown, string>();
  return places.flatMap(({ path, value }) => {
    if (typeof value !== 'string' && typeof value !== 'number') return [];
    const key = identity(value);
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, path);
      return [];
    }
    return [{ path, value: renderValue(value), expected: `${what} used once; ${earlier} has it too` }];
  });
}

function cellsWithoutAddress(input: unknown): Problem[] {
  return cellsOf(input)
    .filter(({ cell }) => isDeployed(cell))
    .flatMap(({ path, cell }) =>
      ['tenant', 'url']
        .filter((field) => cell[field] === undefined)
        .map((field) => ({
          path: `${path}.${field}`,
          value: renderValue(undefined),
          expected: `a ${field}: only a cell with observe: true needs none`,
        })),
    );
}

function quietWithoutSignal(input: unknown): Problem[] {
  const shared = asObject(asObject(asObject(input).health).signals);
  return healthsOf(input).flatMap(({ path, health }) => {
    const name = asObject(health.quiet).signal;
    const known = { ...shared, ...asObject(health.signals) };
    if (typeof name !== 'string' || Object.hasOwn(known, name)) return [];
    const names = Object.keys(known);
    const expected =
      names.length > 0 ? `the name of a signal: one of ${names.join(', ')}` : 'the name of a signal; there is none';
    return [{ path: `${path}.quiet.signal`, value: renderValue(name), expected }];
  });
}

const OBJECTIVE: Readonly<Record<string, { holds: (slo: number) => boolean; expected: string }>> = {
  lower: {
    holds: (slo) => slo > 0 && slo < 100 && slo !== 1,
    expected: 'the share of good events, above 0 and below 1 (or below 100, in percent)',
  },
  higher: { holds: (slo) => slo > 0, expected: 'the share of bad events, above 0' },
  both: { holds: () => false, expected: 'no objective: it needs worse: lower or worse: higher' },
};

function objectivesWithoutMeaning(input: unknown): Problem[] {
  return healthsOf(input).flatMap(({ path, health }) =>
    Object.entries(asObject(health.signals)).flatMap(([name, signal]) => {
      const { slo, worse } = asObject(signal);
      const rule = typeof worse === 'string' && Object.hasOwn(OBJECTIVE, worse) ? OBJECTIVE[worse] : undefined;
      if (typeof slo !== 'number' || !rule || rule.holds(slo)) return [];
      return [{ path: `${path}.signals.${name}.slo`, value: renderValue(slo), expected: rule.expected }];
    }),
  );
}
