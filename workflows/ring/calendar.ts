import { log, sleep } from '@temporalio/workflow';
import type { CalendarWord, Waiver } from '../../src/contract/calendar.js';
import type { CellPurpose } from '../../src/contract/internal.js';
import type { WaitingFor } from '../../src/contract/status.js';
import { type Closing, closingOf, isGood, waitForOpening, wordWithoutWindows } from '../../src/domain/calendar/gate.js';
import { isDueBeside } from '../../src/domain/ring/put-off.js';
import { wouldStart } from '../../src/domain/ring/view.js';
import { readCalendar } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import type { PassContext } from './context.js';

const TRY_AGAIN_MS = 10_000;

/** What a pass knows of its calendar; carried over by every continue-as-new. */
export interface PassCalendarState {
  word: CalendarWord | null;
  waivers: Waiver[];
  /** Since when it has waited for an opening without a break, epoch ms; null: it does not. */
  sinceMs: number | null;
}

/**
 * Keeps a pass from taking cells forward outside its deploy windows and in freezes. One word says until when the ring is
 * open, so a cell costs nothing; it is asked for again only when it has run out and something is to start.
 */
export class PassCalendar {
  private isAsking = false;
  private readonly alarm: Alarm;

  constructor(private readonly ctx: PassContext) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** Finds out what is to be known before anything starts, and wakes the pass when its ring may open. */
  keep(): void {
    const { ctx } = this;
    const { calendar } = ctx;
    const closing = this.closing();
    calendar.sinceMs = closing === null ? null : (calendar.sinceMs ?? Date.now());
    if (closing === 'unknown') void this.ask();
    else if (closing !== null) this.alarm.set(calendar.word?.untilMs ?? null);
  }

  get wait(): WaitingFor | null {
    const closing = this.closing();
    const { ring, version } = this.ctx.input;
    const sinceMs = this.ctx.calendar.sinceMs ?? Date.now();
    return closing && waitForOpening(closing, { ring, version, sinceMs });
  }

  /** A cell that starts orders nothing any more when the word on which it started has run out. */
  fence(purpose: CellPurpose): { notAfterMs?: number } {
    const { entry, calendar } = this.ctx;
    if (!entry?.calendar || !calendar.word || purpose === 'rollback') return {};
    return { notAfterMs: calendar.word.untilMs };
  }

  waive(waiver: Waiver): void {
    this.ctx.calendar.waivers.push(waiver);
  }

  /** Null where nothing is to start, or may: nothing holds a rollback. */
  private closing(): Closing | 'unknown' | null {
    const { entry, state, calendar } = this.ctx;
    if (!entry?.calendar || this.ctx.input.purpose === 'rollback') return null;
    if (!wouldStart(state, Date.now()) && !isDueBeside(state, Date.now())) return null;
    return closingOf(this.word(), calendar.waivers, Date.now());
  }

  private word(): CalendarWord | null {
    const { entry, calendar } = this.ctx;
    const now = Date.now();
    if (!isGood(calendar.word, now) && entry?.calendar) calendar.word = wordWithoutWindows(entry.calendar, now);
    return calendar.word;
  }

  private async ask(): Promise<void> {
    const { calendar } = this.ctx.entered;
    if (this.isAsking || !calendar) return;
    this.isAsking = true;
    this.ctx.pending += 1;
    try {
      this.ctx.calendar.word = await readCalendar(calendar);
    } catch (error) {
      log.warn('the deploy windows could not be worked out, which is tried again', { error: String(error) });
      await sleep(TRY_AGAIN_MS);
    }
    this.ctx.pending -= 1;
    this.isAsking = false;
    this.ctx.wake();
  }
}
