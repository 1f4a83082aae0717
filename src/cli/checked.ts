import type { z } from '../contract/zod.js';
import { problemsFromZod } from '../domain/problems.js';
import { UsageError } from './exit.js';

/** A message as its schema wants it. Throws `UsageError` with everything that is wrong, before anybody is asked. */
export function checked<S extends z.ZodType>(schemaOf: () => S, payload: unknown): z.infer<S> {
  const schema = schemaOf();
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw new UsageError('This cannot be asked for', problemsFromZod(parsed.error, payload, schema));
}
