import Table from 'cli-table3';

const EDGES = ['top', 'bottom', 'mid', 'left', 'right'].flatMap((edge) =>
  ['', '-mid', '-left', '-right'].map((part) => `${edge}${part}`),
);
const NO_LINES = { ...Object.fromEntries(EDGES.map((edge) => [edge, ''])), middle: '  ' };

/** A table without lines. */
export function table(head: string[], rows: string[][]): string[] {
  const made = new Table({
    head,
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  made.push(...rows);
  return made
    .toString()
    .split('\n')
    .map((row) => row.trimEnd());
}
