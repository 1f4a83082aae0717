import { RE2JS } from 're2js';
import { badData } from './query-error.js';

/**
 * A regular expression as Prometheus has them: RE2's syntax, and the whole text must match. JavaScript's own would
 * take other expressions, and some of the same ones in another sense.
 */
export interface Pattern {
  matches(text: string): boolean;
  /** The groups of a match, the whole of it first; null where there is none. */
  groups(text: string): (string | undefined)[] | null;
  /** Numbers of the groups that have names. */
  names: Readonly<Record<string, number>>;
}

export function patternOf(source: string): Pattern {
  const compiled = compile(`^(?:${source})$`);
  // Alone too: `a)|(b` would close our own group.
  compile(source);
  return {
    matches: (text) => compiled.matches(text),
    groups: (text) => {
      const matcher = compiled.matcher(text);
      if (!matcher.matches()) return null;
      return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? undefined);
    },
    names: compiled.namedGroups(),
  };
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    throw badData((error as Error).message);
  }
}

/** Fills `$1`, `${1}`, `$name` and `$$` of a template, as Go's Regexp.Expand does. */
export function expand(template: string, groups: readonly (string | undefined)[], names: Pattern['names']): string {
  return template.replace(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (whole, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare;
      if (name === undefined) return whole === '$$' ? '$' : whole;
      const index = /^\d+$/.test(name) ? Number(name) : names[name];
      return (index === undefined ? undefined : groups[index]) ?? '';
    },
  );
}
