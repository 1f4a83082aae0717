import type { TopologyChanges } from '../contract/status.js';

const NAMED = 5;

/** What a topology changed, in words: `3 cells joined, ring 4 added`. */
export function changesText(changes: TopologyChanges): string {
  const { cellsJoined, cellsLeft, cellsMoved, ringsAdded, ringsRemoved, perimeter, policy } = changes;
  const moves = cellsMoved.map(({ cell, from, to }) => `${cell} (ring ${from} → ${to})`);
  const parts = [
    cellsJoined.length > 0 && `${plural(cellsJoined.length, 'cell')} joined`,
    cellsLeft.length > 0 && `${named(cellsLeft)} left`,
    moves.length > 0 && `${named(moves)} moved`,
    ringsAdded.length > 0 && `${ringsText(ringsAdded)} added`,
    ringsRemoved.length > 0 && `${ringsText(ringsRemoved)} removed`,
    perimeter && `perimeter ${perimeter.from} → ${perimeter.to}`,
    policy.length > 0 && `settings changed: ${named(policy)}`,
  ];
  return parts.filter(Boolean).join(', ') || 'nothing changed';
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const ringsText = (rings: readonly number[]): string => `ring${rings.length === 1 ? '' : 's'} ${rings.join(', ')}`;

function named(items: readonly string[]): string {
  const more = items.length - NAMED;
  return items.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
