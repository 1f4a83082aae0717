import { log, sleep } from '@temporalio/workflow';
import { type CalendarToKeep, calendarsWaitedFor, nextChange, noteWord } from '../../src/domain/cluster/calendars.js';
import { ringsBehind } from '../../src/domain/cluster/drift.js';
import { topologyOf } from '../../src/domain/cluster/topology.js';
import { readCalendar } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import type { ClusterContext } from './context.js';

const TRY_AGAIN_MS = 10_000;

/** Asks what the calendars say by which packages wait for a ring, and wakes when that runs out. */
export class Calendars {
  private readonly asking = new Set<string>();
  /** Keys of what is waited for. */
  private inUse: ReadonlySet<string> = new Set();
  private readonly alarm: Alarm;

  constructor(private readonly ctx: ClusterContext) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** Called when the requests have been decided: what was not known for them is asked. */
  keep(): void {
    const { state } = this.ctx;
    const topology = topologyOf(state);
    if (!topology) return;
    const now = Date.now();
    const waitedFor = calendarsWaitedFor(state, ringsBehind(state, topology, now), { topology, now });
    this.inUse = new Set(waitedFor.all.map(({ key }) => key));
    for (const one of waitedFor.ask) if (!this.asking.has(one.key)) void this.ask(one);
    this.alarm.set(nextChange(state, waitedFor, now));
  }

  private async ask({ key, calendar }: CalendarToKeep): Promise<void> {
    this.asking.add(key);
    try {
      const word = await readCalendar(calendar);
      noteWord(this.ctx.state, key, word, { now: Date.now(), inUse: this.inUse });
    } catch (error) {
      log.warn('the deploy windows could not be worked out, which is tried again', { key, error: String(error) });
      await sleep(TRY_AGAIN_MS);
    }
    this.asking.delete(key);
    this.ctx.wake();
  }
}
