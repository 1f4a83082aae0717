import { CLUSTER_WORKFLOW_ID } from '../../src/contract/ids.js';
import type { HeldRing, RingReport } from '../../src/contract/internal.js';
import type { BrakeStatus } from '../../src/contract/status.js';
import { adopt } from '../../src/domain/rollout/adopt.js';
import type { Track } from '../../src/domain/rollout/state.js';
import type { BrakeDesk } from '../shared/brake-desk.js';
import * as signals from '../shared/signals.js';
import type { PackageContext } from './context.js';

/** Passes and brakes of an earlier run of this rollout, which was then terminated: they go on under this run. */
export class TakeOver {
  private offered: HeldRing[] = [];
  /** Brakes that this run was told of: what a person has taken off since then stays off. */
  private readonly told = new Set<string>();

  constructor(
    private readonly ctx: PackageContext,
    private readonly brakes: BrakeDesk,
  ) {}

  /** Nothing is offered that this run has not taken. */
  get isDone(): boolean {
    return this.offered.length === 0;
  }

  offer(holds: HeldRing[]): void {
    this.offered = holds;
    this.take();
  }

  /** Called before this run asks for anything: what was acknowledged to a person holds, also where no pass knows of it. */
  takeBrakes(brakes: BrakeStatus[]): void {
    const news = brakes.filter(({ brakeId }) => !this.told.has(brakeId));
    for (const { brakeId } of news) this.told.add(brakeId);
    this.brakes.takeOver(news);
  }

  /** The same, as the cluster says it; what was engaged since this rollout began it knows itself, and whether it was released. */
  takeEarlier(brakes: BrakeStatus[], isFirst: boolean): void {
    const { startedAtMs } = this.ctx.state;
    this.takeBrakes(isFirst ? brakes : brakes.filter(({ since }) => Date.parse(since) < startedAtMs));
  }

  /** Takes what is offered, once this run knows that it goes on. */
  take(): void {
    const { state } = this.ctx;
    if (!state.registered || state.end) return;
    for (const held of this.offered.splice(0)) {
      const adopted = adopt(state, held, Date.now());
      if (!adopted) continue;
      // There is something to look after, whatever becomes of the message that began this run.
      state.accepted = true;
      if (adopted.unwanted) this.withdraw(adopted.unwanted);
      void this.ctx.detached(() => this.askHowItStands(adopted.track));
    }
  }

  /** Called before the report is taken: a pass that reports for the first time tells the brakes of the earlier run. */
  noteReport({ view, requestId, packageBrakes }: RingReport): void {
    const track = this.ctx.state.tracks[view.ring];
    const isFirst = track?.stage === 'granted' && track.requestId === requestId;
    if (!isFirst || packageBrakes.epoch === this.brakes.number.epoch) return;
    // What was to stop it has not reached it: it is told again.
    track.stopped = false;
    this.takeBrakes(packageBrakes.brakes);
  }

  /** One that has just ended has said so to the run before: its ring is as if this run had never been in it. */
  private async askHowItStands(track: Track): Promise<void> {
    const { tracks } = this.ctx.state;
    if (await this.ctx.tellPass(track, signals.reportNowSignal, {})) return;
    if (tracks[track.ring] !== track || track.stage !== 'granted') return;
    delete tracks[track.ring];
    track.stage = 'over';
    this.withdraw(track.requestId);
  }

  private withdraw(requestId: string): void {
    void this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.withdrawRequestSignal, { requestId });
  }
}
