import type { Activities } from '../src/contract/activities.js';
import type { Logger } from './ports.js';

/** `raiseAlert`: tells people through the log, at `warn`. Never fails: what raises an alert has trouble enough. */
export function createRaiseAlert({ log }: { log: Logger }): Activities['raiseAlert'] {
  return async (alert) => {
    try {
      log.warn({ alert }, `alert ${alert.name}: ${alert.summary}`);
    } catch {
      // A log that cannot be written to is no reason to hold a ring.
    }
  };
}
