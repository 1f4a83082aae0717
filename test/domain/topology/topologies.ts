import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';

/** A cell as a topology file writes it, with an address made from its id. */
export const cell = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  id,
  tenant: `tenant-${id}`,
  url: `https://${id}.cells.example`,
  ...more,
});

export const cells = (count: number, prefix = 'cell'): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, i) => cell(`${prefix}-${i + 1}`));

/** A small topology as written: rings 0, 1 (read only) and 2 with one cell each. */
export const written = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  cluster: 'test',
  perimeter: 1,
  rings: [
    { ring: 0, cells: [cell('qa')] },
    { ring: 1, deployedBy: 'external', cells: [{ id: 'legacy', observe: true }] },
    { ring: 2, cells: [cell('cell-1')] },
  ],
  ...more,
});

/** The topology that was accepted, or an error with all its problems. */
export function accepted(input: unknown): Topology {
  const parsed = parseTopology(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, null, 2));
  return parsed.topology;
}
