import { log } from '@temporalio/workflow';
import type { LedgerKind } from '../../src/contract/ledger.js';
import type { Problem } from '../../src/contract/problem.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import { type ClusterState, newClusterState } from '../../src/domain/cluster/state.js';
import type { Decision } from '../../src/domain/ledger/decisions.js';
import { entryOfAct } from '../../src/domain/ledger/entry.js';
import { LedgerDesk } from '../shared/ledger-desk.js';
import { Mail } from '../shared/mail.js';

/** Who did something, and why: what every act of a person carries. */
export interface Person {
  by: string;
  reason?: string | undefined;
  url?: string | undefined;
}

/** What the parts of the cluster's workflow share. */
export class ClusterContext {
  readonly state: ClusterState;
  woken = false;
  readonly mail = new Mail(() => this.wake());
  readonly ledger: LedgerDesk;

  constructor(carried: ClusterState | undefined) {
    // What an older version of this code carried over has not every field.
    this.state = { ...newClusterState(), ...carried };
    const { state, mail } = this;
    this.ledger = new LedgerDesk({ state, mail, cluster: () => state.cluster, wake: () => this.wake() });
  }

  record(act: string, person: Person, outcome: string): void {
    const { by, reason, url } = person;
    this.ledger.note(entryOfAct(act, person, outcome));
    const at = new Date(Date.now()).toISOString();
    this.state.acts.push({ at, act, by, outcome, ...(reason ? { reason } : {}), ...(url ? { url } : {}) });
  }

  /** What the coordinator itself decided: kept by the ledger alone. */
  enter(decision: Decision | null, kind: LedgerKind = 'decision'): void {
    if (decision) this.ledger.note({ kind, by: COORDINATOR, ...decision });
  }

  fileRejection(message: string, { path, value, expected }: Problem, by?: string): void {
    log.warn('a message was rejected', { message, path, value, expected });
    const outcome = `${message}: ${path || 'the message'}: found ${value}, expected ${expected}`;
    this.enter({ act: 'rejected', outcome, facts: { by } });
    const at = new Date(Date.now()).toISOString();
    this.state.rejected.push({ at, message, path, value, expected, ...(by === undefined ? {} : { by }) });
    this.wake();
  }

  wake(): void {
    this.woken = true;
  }
}
