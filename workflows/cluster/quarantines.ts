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
} from '../../src/domain/cluster/quarantine.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import { findCell, type Topology } from '../../src/domain/topology/index.js';
import { Alarm } from '../shared/alarm.js';
import * as signals from '../shared/signals.js';
import { rejected, validated } from '../shared/validation.js';
import type { ClusterContext } from './context.js';

/** Takes cells out of all automation, and lets them back: by a person's word, by the topology, or when the time is up. */
export class Quarantines {
  private readonly alarm: Alarm;

  constructor(
    private readonly ctx: ClusterContext,
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
    const message = validated(messages.quarantineCell, payload);
    if (!quarantineCell(this.ctx.state, message, Date.now())) return;
    this.ctx.record('quarantineCell', message, `${message.cell} is out`);
    this.tell(message.cell, message, true);
    this.ctx.wake();
  }

  judgeBack(payload: unknown): void {
    const { cell } = validated(messages.readmitCell, payload);
    const problem = judgeReadmission(this.ctx.state, cell);
    if (problem) throw rejected([problem]);
  }

  readmit(payload: unknown): void {
    const message = validated(messages.readmitCell, payload);
    delete this.ctx.state.quarantined[message.cell];
    this.ctx.record('readmitCell', message, `${message.cell} is back`);
    this.tell(message.cell, message, false);
    this.ctx.wake();
  }

  /** Those whose time is up are back; wakes the cluster when the next one's is. */
  expire(): void {
    const { state } = this.ctx;
    for (const cell of expireQuarantines(state, Date.now())) {
      const act = { by: COORDINATOR, reason: 'its quarantine has expired', cell };
      this.ctx.record('quarantineExpired', act, `${cell} is back`);
      this.tell(cell, act, false);
    }
    this.alarm.set(nextQuarantineExpiry(state));
  }

  /** A topology was put in force. */
  follow(topology: Topology, by: string, joined: readonly string[]): void {
    const { state } = this.ctx;
    const { out, back } = quarantineByTopology(state, topology, { by, joined }, Date.now());
    for (const cell of out) {
      const word = state.quarantined[cell] ?? { by, reason: 'by the topology' };
      this.ctx.enter({ act: 'quarantineCell', cell, reason: word.reason, facts: { ...word } });
      this.tell(cell, word, true);
    }
    for (const cell of back) {
      this.ctx.enter({ act: 'readmitCell', cell, reason: 'by the topology' });
      this.tell(cell, { by, reason: 'by the topology' }, false);
    }
  }

  /** Passes that are under way hear of what was quarantined before this cluster began. */
  tellAll(): void {
    for (const [cell, word] of Object.entries(this.ctx.state.quarantined)) this.tell(cell, word, true);
  }

  /** A pass that is in the ring lets the cell's run come to its end first, going back included. */
  private tell(cell: string, { by, reason = '' }: { by: string; reason?: string }, out: boolean): void {
    if (!out) this.onBack(cell);
    const { state } = this.ctx;
    const topology = topologyOf(state);
    const ring = topology && findCell(topology, cell)?.ring.ring;
    if (ring === null || ring === undefined) return;
    const turn = state.turns[ring];
    const isThere = turn?.pass || state.unmet?.includes(ring);
    if (!isThere) return;
    const requestId = turn?.request.requestId;
    const message = { cell, by, reason, out, ...(requestId === undefined ? {} : { requestId }) };
    void this.ctx.mail.send(ringRolloutId(ring), signals.quarantineInPassSignal, message as never);
  }
}
