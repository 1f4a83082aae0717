import { log } from '@temporalio/workflow';
import type { Problem } from '../../src/contract/problem.js';
import { type ClusterState, newClusterState } from '../../src/domain/cluster/state.js';
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

  constructor(carried: ClusterState | undefined) {
    // What an older version of this code carried over has not every field.
    this.state = { ...newClusterState(), ...carried };
  }

  record(act: string, { by, reason, url }: Person, outcome: string): void {
    const at = new Date(Date.now()).toISOString();
    this.state.acts.push({ at, act, by, outcome, ...(reason ? { reason } : {}), ...(url ? { url } : {}) });
  }

  fileRejection(message: string, { path, value, expected }: Problem, by?: string): void {
    log.warn('a message was rejected', { message, path, value, expected });
    const at = new Date(Date.now()).toISOString();
    this.state.rejected.push({ at, message, path, value, expected, ...(by === undefined ? {} : { by }) });
    this.wake();
  }

  wake(): void {
    this.woken = true;
  }
}
