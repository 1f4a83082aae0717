import { condition, workflowInfo } from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID } from '../../src/contract/ids.js';
import type { GraduationAnswer, Registered, RolloutEnded } from '../../src/contract/internal.js';
import type { Graduate } from '../../src/contract/messages.js';
import type { Problem } from '../../src/contract/problem.js';
import type { RolloutState } from '../../src/contract/status.js';
import { chartConflict } from '../../src/domain/cluster/packages.js';
import { decisionOfUnheardEnd } from '../../src/domain/ledger/decisions.js';
import { takeUp } from '../../src/domain/rollout/earlier.js';
import { type Graduation, ring0Verdict } from '../../src/domain/rollout/state.js';
import { readRollout } from '../shared/activities.js';
import * as signals from '../shared/signals.js';
import type { PackageContext } from './context.js';

export const CLUSTER_ANSWERS_MS = 15_000;

/** What only the cluster knows of a package: how an earlier run ended, and whether it may graduate. */
export class ClusterLink {
  /** The cluster was asked, and did not answer in time. */
  unanswered = false;

  constructor(private readonly ctx: PackageContext) {}

  /** Says again and again that this rollout is open, until the cluster is there to answer. */
  async registerUntilAnswered(): Promise<void> {
    const { state } = this.ctx;
    while (!state.registered && !state.end) {
      await this.register();
      const isAnswered = await condition(() => state.registered || state.end !== null, CLUSTER_ANSWERS_MS);
      if (!isAnswered) this.unanswered = true;
      this.ctx.wake();
    }
  }

  async register(): Promise<void> {
    const { version, chartVersion, reopened, graduation, abort } = this.ctx.state;
    const graduatedAt = graduation?.accepted ? graduation.at : null;
    const { firstExecutionRunId: run, startTime } = workflowInfo();
    const startedAtMs = startTime.getTime();
    const message = { version, run, startedAtMs, chartVersion, reopen: reopened, graduatedAt };
    const aborting = abort ? { aborting: true as const } : {};
    const isThere = await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.registerRolloutSignal, {
      ...message,
      ...aborting,
    });
    this.ctx.state.clusterAway = !isThere;
  }

  /** Taking cells back may take long: until then the cluster brings none to the package either. */
  async tellAbort(): Promise<void> {
    const { state } = this.ctx;
    await condition(() => state.registered || state.end !== null);
    if (!state.registered) return;
    const { version } = state;
    const aborting = { version, run: workflowInfo().firstExecutionRunId };
    await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.rolloutAbortingSignal, aborting);
  }

  /** How the rollout ended. A cluster that is away enters it in no ledger, and would read back that the package goes on. */
  async finish(): Promise<void> {
    const ended = this.ended();
    if (ended === null || (await this.tellEnd(ended))) return;
    const decision = decisionOfUnheardEnd(ended, this.ctx.state);
    if (decision) this.ctx.enter(decision);
  }

  /** Answers whether the cluster is there to hear it. */
  async tellEnd(ended = this.ended()): Promise<boolean> {
    return ended !== null && (await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.rolloutEndedSignal, ended));
  }

  /** Where nothing was ever accepted, it is as if this run had not been; null: the cluster knows of no such run. */
  private ended(): RolloutEnded | null {
    const { version, end, registered, accepted, abort } = this.ctx.state;
    if (!end || !registered) return null;
    const forget = end.state === 'aborted' && !accepted && abort === null;
    return { version, ...end, run: workflowInfo().runId, forget };
  }

  takeRegistered(m: Registered): void {
    const { ctx } = this;
    const { state } = ctx;
    state.softRings = m.softRings;
    state.alsoOn = m.alsoOn;
    state.cluster = m.cluster ?? null;
    state.blocked = m.blocked ?? null;
    ctx.ledger.flush();
    if (m.conflict) {
      ctx.refusal = m.conflict;
      ctx.fileRejection('register', m.conflict);
      if (!m.endedAs) return ctx.end('aborted', null);
    }
    const isRefused = this.refusesChart(m) || m.conflict !== null;
    if (m.endedAs && !state.registered) return void ctx.detached(() => this.endedBefore(m, isRefused));
    state.registered = true;
    state.chartVersion = m.chartVersion ?? state.chartVersion;
    state.runsWith ??= m.runsWith ?? null;
    state.graduationTimeoutMs = m.graduationTimeoutMs;
    if (state.graduation?.accepted === null) this.askGraduation();
    ctx.wake();
  }

  /**
   * Another run of this version has ended: this one goes on from what that one left. Only one that converged may be
   * looked at again; what was aborted, rolled back or has expired is opened by `restart` alone, the rest by nothing.
   */
  private async endedBefore(m: Registered, isRefused: boolean): Promise<void> {
    const { ctx } = this;
    const { state } = ctx;
    const endedAs = m.endedAs as RolloutState;
    const canReopen = endedAs !== 'superseded' && endedAs !== 'converged';
    // The answer to what was asked before the cluster heard of the restart.
    if (state.reopened && canReopen) return;
    const earlier = m.endedRun === null ? null : await readRollout({ version: state.version, runId: m.endedRun });
    if (state.registered || state.end || (state.reopened && canReopen)) return;
    if (earlier) takeUp(state, earlier, m);
    if (endedAs !== 'converged' || isRefused || state.reopened) return ctx.end(endedAs, m.supersededBy);
    this.lookAgain(m);
  }

  private lookAgain({ chartVersion, graduatedAt }: Registered): void {
    const { state } = this.ctx;
    state.registered = true;
    state.chartVersion = chartVersion ?? state.chartVersion;
    state.noMoreRings = true;
    const at = graduatedAt ?? new Date(state.startedAtMs).toISOString();
    const graduated = { requestId: '', by: 'an earlier run', at, askedAt: at, accepted: true };
    // One of its own was only asked for: it had graduated before.
    if (!state.graduation?.accepted) state.graduation = graduated;
    this.ctx.wake();
  }

  /** Records a graduation, and asks the cluster whether it may be. The same again changes nothing. */
  graduate(message: Graduate, requestId: string): void {
    const { state } = this.ctx;
    const { lane, pdmCompletedAt } = message;
    const about = [lane && `lane ${lane}`, pdmCompletedAt && `its PDM completed at ${pdmCompletedAt}`];
    const detail = about.filter(Boolean).join(', ') || undefined;
    if (state.graduation) {
      const outcome = state.graduation.accepted ? 'has graduated already' : 'was asked already';
      return this.ctx.record('graduate', message, outcome, detail);
    }
    this.ctx.refusal = null;
    const askedAt = new Date(Date.now()).toISOString();
    const at = pdmCompletedAt ? new Date(Date.parse(pdmCompletedAt)).toISOString() : askedAt;
    const preempt = message.preempt === true;
    const asked = { chartVersion: message.chartVersion ?? null, lane: lane ?? null, preempt };
    state.graduation = { requestId, by: message.by, at, askedAt, accepted: null, ...asked };
    this.ctx.record('graduate', message, 'asked the cluster', detail);
    if (state.registered) this.askGraduation();
    this.ctx.wake();
  }

  askGraduation(): void {
    const { graduation, version } = this.ctx.state;
    if (!graduation) return;
    const { requestId, by, at } = graduation;
    const chartVersion = graduation.chartVersion ?? this.ctx.state.chartVersion;
    const lane = graduation.lane ?? this.ctx.state.lane;
    const ask = { requestId, version, chartVersion, lane, by, at, ring0: ring0Verdict(this.ctx.state) };
    void this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.askGraduationSignal, ask);
  }

  takeGraduationAnswer({ requestId, accepted, rejection }: GraduationAnswer): void {
    const { state } = this.ctx;
    const { graduation } = state;
    if (graduation?.requestId !== requestId || graduation.accepted) return;
    if (rejection) return this.refuseGraduation(rejection, graduation);
    graduation.accepted = accepted;
    state.chartVersion = graduation.chartVersion ?? state.chartVersion;
    state.lane = graduation.lane ?? state.lane;
    this.ctx.wake();
  }

  private refuseGraduation(problem: Problem, { by }: Graduation): void {
    this.ctx.fileRejection('graduate', problem, by);
    this.ctx.refusal = problem;
    this.ctx.state.graduation = null;
  }

  /** A graduation that was asked before the cluster said which chart the package has. */
  private refusesChart({ chartVersion, runsWith }: Registered): boolean {
    const { graduation } = this.ctx.state;
    const asked = graduation?.accepted === null ? (graduation.chartVersion ?? null) : null;
    const conflict = chartConflict(chartVersion ?? runsWith ?? null, asked);
    if (graduation && conflict) this.refuseGraduation(conflict, graduation);
    return conflict !== null;
  }
}
