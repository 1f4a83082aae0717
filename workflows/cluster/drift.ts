import * as messages from '../../src/contract/messages.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import {
  driftInWords,
  judgeResume,
  keepDrift,
  nextOverrideExpiry,
  nextToCount,
  overrideDrift,
} from '../../src/domain/cluster/drift.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import { earliest } from '../../src/domain/instant.js';
import { Alarm } from '../shared/alarm.js';
import { rejected, validated } from '../shared/validation.js';
import type { ClusterContext } from './context.js';

/** Watches how far the outer rings are behind: beyond the limit nothing new enters the perimeter, until they are back. */
export class Drift {
  private readonly alarm: Alarm;

  constructor(private readonly ctx: ClusterContext) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  keep(): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    if (!topology) return;
    const change = keepDrift(state, topology, Date.now());
    const act = (name: string, reason: string, outcome: string) =>
      this.ctx.record(name, { by: COORDINATOR, reason }, outcome);
    if (change === 'paused') act('pauseAutoDeploy', driftInWords(state, topology, Date.now()), 'deployRing is refused');
    if (change === 'resumed') act('resumeAutoDeploy', 'the drift is back within its limit', 'auto-deploy runs');
    if (change === 'override-over') act('pauseAutoDeploy', 'the override has expired', 'deployRing is refused');
    const changes = [nextOverrideExpiry(state), nextToCount(state, topology, Date.now())];
    this.alarm.set(earliest(changes.filter((ms) => ms !== null)));
  }

  judgeResume(payload: unknown): void {
    const problem = judgeResume(this.ctx.state, validated(messages.resumeAutoDeploy, payload), Date.now());
    if (problem) throw rejected([problem]);
  }

  resume(payload: unknown): void {
    const message = validated(messages.resumeAutoDeploy, payload);
    overrideDrift(this.ctx.state, message, Date.now());
    this.ctx.record('resumeAutoDeploy', message, 'auto-deploy runs until the drift is back, or this expires');
    this.ctx.wake();
  }
}
