import { z } from '../contract/zod.js';
import { topologySchema } from '../domain/topology/schema.js';

/**
 * The JSON Schema of a topology file, as editors and pipelines use it. It knows each field; twins and fields that need
 * one another are found only by `cellctl cluster apply`.
 */
export function topologyJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(topologySchema(), { io: 'input', target: 'draft-2020-12' });
  return {
    $schema,
    title: 'Topology of a cell cluster',
    description: 'Rings, cells and policy of a cell cluster: the source of truth that is applied to the coordinator.',
    ...schema,
  };
}
