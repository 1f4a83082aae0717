import { lazily } from './lazily.js';
import { LEDGER_KINDS } from './ledger.js';
import { z } from './zod.js';

/** The shape of an entry, as the ledger takes it. */
export const ledgerEntry = lazily(() => {
  const text = z.string();
  return z.object({
    id: text.min(1).max(300),
    at: z.iso.datetime(),
    kind: z.enum(LEDGER_KINDS),
    cluster: text,
    version: text.optional(),
    ring: z.number().int().min(0).max(1_000_000).optional(),
    cell: text.optional(),
    act: text.min(1),
    by: text,
    reason: text.optional(),
    url: text.optional(),
    outcome: text.optional(),
    jobId: text.optional(),
    evidence: z.array(text).optional(),
    tookMs: z.number().int().min(0).optional(),
    facts: z.record(text, z.unknown()).optional(),
  });
});
