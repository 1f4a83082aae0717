import { ringRolloutId } from '../../src/contract/ids.js';
import * as messages from '../../src/contract/messages.js';
import { COORDINATOR } from '../../src/domain/brake.js';
import {
  expireQuarantines,
  judgeQuarantine,
  judgeReadmission,
  nextQuarantineExpiry,
  quarantineByTopology,
  quarantineCell,
  viewOfQuarantines,
} from '../../src/domain/cluster/quarantine.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import { findCell, type Topology } from '../../src/domain/topology/index.js';
import { Alarm } from '../shared/alarm.js';
import type { BrakeDesk } from '../shared/brake-desk.js';
import * as signals from '../shared/signals.js';
import { rejected, validated } from '../shared/validation.js';
import type { ClusterContext } from './context.js';

/** Takes cells out of all automation, and lets them back: by a person's word, by the topology, or when the time is up. */
export class Quarantines {
  private readonly alarm: Alarm;

  constructor(
    private readonly ctx: ClusterContext,
    private readonly brakes: BrakeDesk,
    /** A cell is back. */
    private readonly onBack: (cell: string) => void,
  ) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  judge(payload: unknown): void {
    const { state } = this.ctx;
    const message = validated(messages.quarantineCell, payload);
    const problem = judgeQuarantine(state, topologyOf(state), message, Date.now());
    if (problem) throw rejected([problem]);
  }

  quarantine(payload: unknown): void {
    void this.tell(this.out(payload));
  }

  /** The same; resolves once every pass knows: from then on nothing starts on the cell. */
  async quarantineSurely(payload: unknown): Promise<void> {
    const word = this.out(payload);
    await this.tell(word);
    this.brakes.renew();
    const brakeId = `quarantined-${word.cell}`;
    const since = new Date(Date.now()).toISOString();
    await this.brakes.confirmed({ ...word, brakeId, scope: 'cluster', mode: 'finish-cells', since });
  }

  private out(payload: unknown): Word {
    const message = validated(messages.quarantineCell, payload);
    if (quarantineCell(this.ctx.state, message, Date.now()))
      this.ctx.record('quarantineCell', message, `${message.cell} is out`);
    this.ctx.wake();
    const { cell, by, reason } = message;
    return { cell, by, reason, out: true };
  }

  judgeBack(payload: unknown): void {
    const { state } = this.ctx;
    const { cell } = validated(messages.readmitCell, payload);
    const problem = judgeReadmission(state, topologyOf(state), cell);
    if (problem) throw rejected([problem]);
  }

  readmit(payload: unknown): void {
    const message = validated(messages.readmitCell, payload);
    delete this.ctx.state.quarantined[message.cell];
    this.ctx.record('readmitCell', message, `${message.cell} is back`);
    this.back(message.cell, message.by, message.reason);
    this.ctx.wake();
  }

  /** Those whose time is up are back; wakes the cluster when the next one's is. */
  expire(): void {
    const { state } = this.ctx;
    for (const cell of expireQuarantines(state, Date.now())) {
      const act = { by: COORDINATOR, reason: 'its quarantine has expired' };
      this.ctx.record('quarantineExpired', act, `${cell} is back`);
      this.back(cell, act.by, act.reason);
    }
    this.alarm.set(nextQuarantineExpiry(state));
  }

  /** A topology was put in force. */
  follow(before: Topology | null, after: Topology, by: string, joined: readonly string[]): void {
    const { out, back } = quarantineByTopology(this.ctx.state, { before, after }, joined, Date.now());
    for (const cell of out) void this.tell({ cell, by, reason: 'by the topology', out: true });
    for (const cell of back) this.back(cell, by, 'by the topology');
  }

  /** A pass that was there before this cluster knows of no quarantine since. */
  tellAll(ring: number): void {
    for (const { cell, by, reason } of viewOfQuarantines(this.ctx.state, topologyOf(this.ctx.state)))
      void this.send(ring, { cell, by, reason, out: true });
  }

  private back(cell: string, by: string, reason: string): void {
    // It may be written in the topology as well.
    const topology = topologyOf(this.ctx.state);
    if (this.ctx.state.quarantined[cell] || (topology && findCell(topology, cell)?.cell.quarantined)) return;
    this.onBack(cell);
    void this.tell({ cell, by, reason, out: false });
  }

  /**
   * Every pass lets the cell's run come to its end first, going back included. Which ring the cell is in does not matter:
   * a pass may have it from before it moved, and one that has it not hears nothing.
   */
  private async tell(word: Word): Promise<void> {
    const { turns, unmet } = this.ctx.state;
    const entered = Object.entries(turns).flatMap(([ring, { pass }]) => (pass ? [Number(ring)] : []));
    await Promise.all([...new Set([...entered, ...(unmet ?? [])])].map((ring) => this.send(ring, word)));
  }

  private async send(ring: number, word: Word): Promise<void> {
    await this.ctx.mail.send(ringRolloutId(ring), signals.quarantineInPassSignal, word);
  }
}

/** A cell is out, or back again. */
interface Word {
  cell: string;
  by: string;
  reason: string;
  out: boolean;
}
