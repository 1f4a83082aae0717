import * as messages from '../../src/contract/messages.js';
import type { z } from '../../src/contract/zod.js';
import { isCalendarWait } from '../../src/domain/calendar/gate.js';
import { chartConflict } from '../../src/domain/cluster/packages.js';
import { whyNoSkip } from '../../src/domain/rollout/skips.js';
import { type Track, tracksOf } from '../../src/domain/rollout/state.js';
import { whyNoWait } from '../../src/domain/rollout/waits.js';
import { type BrakeDesk, mustExpireLater } from '../shared/brake-desk.js';
import { rejected, rejectedBecause, validated } from '../shared/validation.js';
import type { Callers } from './callers.js';
import type { PackageContext } from './context.js';

/**
 * The validators: what payload and state at hand show to be wrong. Synchronous, and changing nothing; each throws
 * `Rejected` with path, value and what was expected.
 */
export class Judge {
  constructor(
    private readonly ctx: PackageContext,
    private readonly callers: Callers,
    private readonly brakes: BrakeDesk,
  ) {}

  drive(schema: typeof messages.deployRing | typeof messages.migrateRing, payload: unknown): void {
    const { ring } = validated(schema, payload);
    this.callers.mustHaveRoom(ring);
  }

  graduate(payload: unknown): void {
    const { chartVersion, lane, pdmCompletedAt } = validated(messages.graduate, payload);
    // Of one that has ended, too, this says best what is wrong.
    const clash = chartConflict(this.ctx.state.chartVersion ?? null, chartVersion ?? null);
    if (clash) throw rejected([clash]);
    this.mustGoOn();
    if (pdmCompletedAt !== undefined && Date.parse(pdmCompletedAt) > Date.now()) {
      throw rejectedBecause('pdmCompletedAt', pdmCompletedAt, 'an instant that is over: PDM has completed');
    }
    const { version, abort, graduation, runsWith = null } = this.ctx.state;
    const present = graduation?.lane ?? this.ctx.state.lane;
    const known = this.ctx.state.chartVersion ?? graduation?.chartVersion ?? runsWith;
    if (graduation && lane !== undefined && lane !== present) {
      throw rejectedBecause('lane', lane, `${present ?? 'no lane'}, with which it has graduated`);
    }
    if (abort) throw rejectedBecause('version', version, 'a rollout that is not being aborted');
    // Whoever graduated it without a chart took the one that AMP infers.
    if (graduation && known === null && chartVersion !== undefined) {
      const expected = 'none: it has graduated with the chart that AMP infers (chart_conflict)';
      throw rejectedBecause('chartVersion', chartVersion, expected);
    }
    const conflict = chartConflict(known, chartVersion ?? null);
    if (conflict) throw rejected([conflict]);
  }

  engageBrake(payload: unknown): void {
    const { expiresAt, brakeId } = validated(messages.engageBrake, payload);
    this.mustGoOn();
    mustExpireLater(expiresAt);
    this.brakes.mustHaveRoom(brakeId);
  }

  releaseBrake(payload: unknown): void {
    this.brakes.toRelease(validated(messages.releaseBrake, payload).brakeId);
  }

  override(payload: unknown): void {
    const { wait, ring } = validated(messages.override, payload);
    this.mustGoOn();
    // These two can be waited for before the ring is entered.
    if (wait !== 'approval' && !isCalendarWait(wait)) this.mustBeEntered(ring, (t) => t.stage === 'running');
    const problem = whyNoWait(this.ctx.state, ring, wait);
    if (problem) throw rejectedBecause('wait', wait, problem);
  }

  retryRing(payload: unknown): void {
    const { ring } = validated(messages.retryRing, payload);
    this.mustGoOn();
    const isUndone = (t: Track) => !t.baked || t.migrationFailed.length > 0;
    this.mustBeEntered(ring, (t) => t.stage === 'running' || (t.stage === 'over' && isUndone(t)));
  }

  restart(payload: unknown): void {
    validated(messages.restart, payload);
    const { registered, end, version } = this.ctx.state;
    if (!registered && !end) return;
    const expected = 'an aborted, rolled-back or expired rollout; this one goes on';
    throw rejectedBecause('version', version, expected);
  }

  skipCell(payload: unknown): void {
    const { cell } = validated(messages.skipCell, payload);
    this.mustGoOn();
    const problem = whyNoSkip(this.ctx.state, cell);
    if (problem) throw rejectedBecause('cell', cell, problem);
  }

  other(schema: () => z.ZodType, payload: unknown): void {
    validated(schema, payload);
    this.mustGoOn();
  }

  private mustGoOn(): void {
    const { end, version } = this.ctx.state;
    if (!end) return;
    const expected = `a rollout that goes on; this one is ${end.state}: cellctl restart ${version} --reason "…"`;
    throw rejectedBecause('version', version, expected);
  }

  private mustBeEntered(ring: number, fits: (t: Track) => boolean): void {
    const rings = tracksOf(this.ctx.state)
      .filter(fits)
      .map((t) => t.ring);
    if (rings.includes(ring)) return;
    throw rejectedBecause('ring', ring, `a ring that this package is in: ${rings.join(', ') || 'there is none now'}`);
  }
}
