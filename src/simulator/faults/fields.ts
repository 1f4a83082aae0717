import { z } from '../../contract/zod.js';

/** Fields that faults of several kinds have. */
export const count = (what: string, min: number) => z.number(what).int(what).min(min, what);
export const milliseconds = count('whole milliseconds, 0 or more', 0);
export const text = (what: string) => z.string(what).min(1, what);

export const where = { cell: text("a cell's id").optional(), tenant: text("a tenant's name").optional() };
export const running = { ...where, version: text('a version').optional() };
