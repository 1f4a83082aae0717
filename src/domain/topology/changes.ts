import type { TopologyChanges } from '../../contract/status.js';
import type { Cell, Ring, Topology } from './schema.js';

const MAX_SETTINGS_LISTED = 200;
/** Three such lists of names fit into what the ledger keeps of one act. */
const MAX_NAMES_TEXT = 350;

/**
 * What is different in `after`; without a `before` everything joined. `policy` holds the paths of all other fields that
 * changed, at most 200 and then a count: rings by number and cells by id, e.g. `rings[3].policy.bakeTime`,
 * `cells[cell-4].pinned`.
 */
export function topologyChanges(before: Topology | null, after: Topology): TopologyChanges {
  const was = placesOf(before);
  const is = placesOf(after);
  const ringsBefore = new Set(before?.rings.map((r) => r.ring));
  const ringsAfter = new Set(after.rings.map((r) => r.ring));
  return {
    cellsJoined: [...is.keys()].filter((id) => !was.has(id)),
    cellsLeft: [...was.keys()].filter((id) => !is.has(id)),
    cellsMoved: [...is].flatMap(([cell, { ring: to }]) => {
      const from = was.get(cell)?.ring;
      return from !== undefined && from !== to ? [{ cell, from, to }] : [];
    }),
    ringsAdded: [...ringsAfter].filter((ring) => !ringsBefore.has(ring)),
    ringsRemoved: [...ringsBefore].filter((ring) => !ringsAfter.has(ring)),
    ...(before && before.perimeter !== after.perimeter
      ? { perimeter: { from: before.perimeter, to: after.perimeter } }
      : {}),
    policy: before ? atMost(MAX_SETTINGS_LISTED, settingsChanged(before, after)) : [],
  };
}

type CellsInShort = { [K in 'cellsJoined' | 'cellsLeft' | 'cellsMoved']?: string[] };

/** Which cells came, went and moved, as it is kept with the act that did it: the first by name, the others by number. */
export function cellsInShort(changes: TopologyChanges): { cells: CellsInShort; text: string } {
  const { cellsJoined, cellsLeft } = changes;
  const cellsMoved = changes.cellsMoved.map(({ cell, from, to }) => `${cell}: ring ${from} to ${to}`);
  const cells = Object.entries({ cellsJoined, cellsLeft, cellsMoved }).filter(([, names]) => names.length > 0);
  const words = { cellsJoined: 'joined', cellsLeft: 'left', cellsMoved: 'moved' };
  return {
    cells: Object.fromEntries(cells.map(([what, names]) => [what, fitting(MAX_NAMES_TEXT, names)])),
    text: cells.map(([what, { length }]) => `${length} ${words[what as keyof typeof words]}`).join(', '),
  };
}

/** Why a person must have said that cells may go (`allowRemoval`), or null where none need to. */
export function needsRemovalConsent(changes: TopologyChanges, before: Topology | null): string | null {
  const total = placesOf(before).size;
  const reasons: string[] = [];
  if (changes.cellsLeft.length * 10 > total) {
    reasons.push(`${changes.cellsLeft.length} of ${total} cells leave, more than a tenth`);
  }
  const [first] = changes.cellsMoved;
  if (first) {
    const others = changes.cellsMoved.length - 1;
    const more = others > 0 ? `, and ${others} more` : '';
    reasons.push(`cell ${first.cell} moves from ring ${first.from} to ring ${first.to}${more}`);
  }
  return reasons.join('; ') || null;
}

function placesOf(topology: Topology | null): Map<string, { ring: number; cell: Cell }> {
  const rings = topology?.rings ?? [];
  return new Map(rings.flatMap(({ ring, cells }) => cells.map((cell) => [cell.id, { ring, cell }] as const)));
}

function settingsChanged(before: Topology, after: Topology): string[] {
  const { rings: oldRings, perimeter: _oldPerimeter, ...oldTop } = before;
  const { rings: newRings, perimeter: _newPerimeter, ...newTop } = after;
  const oldCells = placesOf(before);
  return [
    ...differences(oldTop, newTop, ''),
    ...newRings.flatMap((ring) => {
      const old = oldRings.find((r) => r.ring === ring.ring);
      return old ? differences(withoutCells(old), withoutCells(ring), `rings[${ring.ring}]`) : [];
    }),
    ...[...placesOf(after)].flatMap(([id, { cell }]) => {
      const old = oldCells.get(id);
      return old ? differences(old.cell, cell, `cells[${id}]`) : [];
    }),
  ];
}

const withoutCells = ({ cells: _cells, ...rest }: Ring): Omit<Ring, 'cells'> => rest;

/** Paths at which two JSON values differ, as deep as both are objects; lists are compared whole. */
function differences(a: unknown, b: unknown, path: string): string[] {
  if (!isObject(a) || !isObject(b)) return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => differences(a[key], b[key], path ? `${path}.${key}` : key));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const atMost = (limit: number, lines: string[]): string[] =>
  lines.length <= limit ? lines : [...lines.slice(0, limit), `… and ${lines.length - limit} more`];

/** As many of the first as are no longer than this together, and how many more there are. */
function fitting(length: number, names: string[]): string[] {
  let used = 0;
  const kept = names.findIndex((name) => {
    used += name.length + 3;
    return used > length;
  });
  return kept < 0 ? names : atMost(kept, names);
}
