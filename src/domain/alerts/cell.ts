import type { Alert, Severity } from '../../contract/activities.js';
import type { CellException, CellState } from '../../contract/status.js';

/** Whose ring something is about. */
export interface RingFacts {
  cluster: string;
  ring: number;
  version: string;
  soft: boolean;
  perimeter: boolean;
}

interface CellAlert {
  name: string;
  severity: Severity;
  /** What the state means, after the cell's id. */
  means: string;
}

const BY_STATE: Partial<Record<CellState, CellAlert>> = {
  'rolled-back': { name: 'CellRolledBack', severity: 's2', means: 'was rolled back' },
  'rollback-failed': { name: 'CellRollbackFailed', severity: 's1', means: 'could not be rolled back' },
  'migration-failed': { name: 'CellMigrationFailed', severity: 's1', means: 'failed its PDM' },
  'cancel-unconfirmed': { name: 'CellCancelUnconfirmed', severity: 's2', means: 'may still be changing' },
};

/** What every alert about a ring has; a soft one pages nobody. */
export function ofRing({ cluster, ring, version, soft, perimeter }: RingFacts, name: string, severity: Severity) {
  const team = perimeter ? ('perimeter' as const) : ('outer' as const);
  return { name, severity: soft ? ('s4' as const) : severity, cluster, ring, version, team };
}

/** The alert that a cell's end asks for; null: none. */
export function alertOfCell(facts: RingFacts, { cell, state, reason, jobId, evidence }: CellException): Alert | null {
  const about = BY_STATE[state];
  if (!about) return null;
  const { ring, version } = facts;
  const job = jobId === undefined ? [] : [`AMP job ${jobId}`];
  return {
    ...ofRing(facts, about.name, about.severity),
    cell,
    summary: `${cell} ${about.means}: ${reason}`,
    evidence: [...(evidence ?? []).map(({ sentence }) => sentence), ...job],
    next: [`cellctl status ${version}`, `cellctl retry --ring ${ring} ${version} --cells ${cell} --reason "…"`],
  };
}
