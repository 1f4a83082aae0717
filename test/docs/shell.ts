import type { CodeBlock } from './markdown.js';

/** Command lines as a shell would read them; enough of one for what the documents say. */

const VERSION = '17.10.202503180906-6a387d336a7.c1c3e017782';

/** What stands in the documents for a value of the reader's. */
const PLACEHOLDERS: Record<string, string> = { V: VERSION, VERSION, FILE: 'topology.yaml' };
const VARIABLES: Record<string, string> = {
  V: VERSION,
  P: `package-rollout/${VERSION}`,
  R: `package-rollback/${VERSION}`,
};

/** Words of one command line: quotes and variables are resolved, a comment at its end is dropped. */
export function words(line: string): string[] {
  const found: string[] = [];
  for (const match of line.matchAll(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/g)) {
    const [raw] = match;
    if (raw.startsWith('#')) break;
    const word = raw.replace(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|\$(\w+)/g, (_, single, double, escaped, variable) => {
      if (single !== undefined) return single;
      if (double !== undefined) return withVariables(double).replace(/\\(.)/g, '$1');
      return escaped ?? resolvedVariable(variable);
    });
    found.push(PLACEHOLDERS[word] ?? word);
  }
  return found;
}

const withVariables = (text: string): string => text.replace(/\$(\w+)/g, (_, name: string) => resolvedVariable(name));

function resolvedVariable(name: string): string {
  const value = VARIABLES[name];
  if (value === undefined) throw new Error(`the documents use $${name}, and nobody says what that is`);
  return value;
}

/** The command lines of a block: what is typed, not what is answered. */
export function commandLines({ language, code }: CodeBlock): string[] {
  if (language !== 'sh' && language !== 'console') return [];
  const joined = code.replace(/\\\n\s*/g, '').split('\n');
  const typed = language === 'sh' ? joined : joined.flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
  return typed.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

/** The words behind the name of a command, or null where the line is another's: `npx` and settings before it count not. */
export function argumentsOf(command: string, line: string): string[] | null {
  const all = words(line);
  const start = all.findIndex((word) => !/^[A-Z_]+=/.test(word) && word !== 'npx');
  return all[start] === command ? all.slice(start + 1) : null;
}
