import { z } from '../contract/zod.js';
import { InputError, problemsOf } from './problems.js';

/**
 * Only what AMP and the cells themselves are made of. Whether the topology makes sense to a coordinator is not AMP's
 * business, so a topology that the coordinator refuses can still be simulated.
 */
const topologySchema = z.object({
  rings: z.array(
    z.object({
      ring: z.number('a number').optional(),
      cells: z
        .array(
          z.object({
            id: z.string("a cell's id").min(1, "a cell's id"),
            tenant: z.string("a tenant's name").min(1, "a tenant's name").nullish(),
            url: z.string('an address').nullish(),
            observe: z.boolean('true or false').nullish(),
            labels: z.record(z.string(), z.unknown(), 'a map of labels').nullish(),
          }),
          'a list of cells',
        )
        .nullish(),
    }),
    'a list of rings',
  ),
});

/** A cell that exists; `tenant` is null where AMP does not know it (it is only observed). */
export interface SimulatedCell {
  id: string;
  tenant: string | null;
  ring: number | null;
  labels: Record<string, string>;
  observed: boolean;
}

/** The cells of a topology; where an id or a tenant stands twice, the first one counts. */
export function readTopology(input: unknown, name: string): SimulatedCell[] {
  const parsed = topologySchema.safeParse(input);
  if (!parsed.success) throw new InputError(name, problemsOf(parsed.error, input));
  const cells = new Map<string, SimulatedCell>();
  for (const { ring, cells: ofRing } of parsed.data.rings) {
    for (const cell of ofRing ?? []) {
      const observed = cell.observe === true;
      const tenant = cell.tenant ?? (observed ? null : cell.id);
      const labels = textsOf(cell.labels ?? {});
      if (!cells.has(cell.id)) cells.set(cell.id, { id: cell.id, tenant, ring: ring ?? null, labels, observed });
    }
  }
  return [...cells.values()];
}

const textsOf = (labels: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
