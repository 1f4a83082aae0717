/** What a rollback needs is asked to end; a pass that has not ended so long after that is terminated. */
export const OUST_AFTER_MS = 60_000;
