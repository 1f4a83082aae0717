import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { FAILURE } from '../src/contract/failures.js';
import { AmpError } from './ports.js';

export interface Patience {
  /** How long an AMP in trouble is asked again before the activity gives up, in milliseconds. */
  totalMs: number;
  /** First pause between two tries; the next ones double, up to `maxPauseMs`. Milliseconds. */
  firstPauseMs: number;
  maxPauseMs: number;
}

/** 20 s: long enough for a restart or a failover of AMP, short enough that a held ring says so soon. */
export const DEFAULT_PATIENCE: Patience = { totalMs: 20_000, firstPauseMs: 250, maxPauseMs: 4_000 };

/** A longer `Retry-After` is cut: an operator should rather see that AMP is away. */
const MAX_RETRY_AFTER_MS = 60_000;
const MAX_DENIED_TRIES = 2;

export interface Ask {
  patience: Patience;
  /** Ends the waiting; its reason is thrown. */
  signal?: AbortSignal | undefined;
  /** Named in the failure, so that whoever reads it can find the job. */
  jobId?: () => string | null;
}

/**
 * Asks AMP, again and again while it is in trouble: with exponential pauses and jitter, so that many activities do not
 * come back at one moment, and never before the `Retry-After` that it asked for.
 * @throws ApplicationFailure `AmpUnavailable` or `AccessDenied`, not retryable, when patience is over; an `AmpError`
 * that is an answer (not found, busy, version changed, refused); the reason of `signal`
 */
export async function askAmp<T>(ask: () => Promise<T>, how: Ask): Promise<T> {
  const since = Date.now();
  let lastTry = false;
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!isAmpTrouble(error)) throw error;
      const denied = error.trouble.kind === 'denied';
      if (lastTry || (denied && tries >= MAX_DENIED_TRIES)) throw failureOf(error, how);
      const asked = retryAfterOf(error);
      const pause = notBefore(asked, backoffMs(how.patience, tries));
      lastTry = Date.now() - since + pause > how.patience.totalMs;
      // AMP that says when to come back is there: it gets that one more try, even after the time is over.
      if (lastTry && asked === null) throw failureOf(error, how);
      await pauseFor(pause, how.signal);
    }
  }
}

/** Trouble of AMP's own, as opposed to an answer about the tenant or the job. */
export function isAmpTrouble(error: unknown): error is AmpError {
  if (!(error instanceof AmpError)) return false;
  return ['unreachable', 'server', 'throttled', 'denied', 'protocol'].includes(error.trouble.kind);
}

/**
 * Sleeps for so many milliseconds.
 * @throws the reason of `signal`, at once, when that is aborted
 */
export async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error;
  });
}

/** So many milliseconds, up to a fifth more or less, so that what began together drifts apart. */
export const jittered = (ms: number): number => ms * (0.8 + 0.4 * Math.random());

/** How long to wait before try number `tries + 1`, in milliseconds. */
export const backoffMs = (patience: Patience, tries: number): number =>
  jittered(Math.min(patience.maxPauseMs, patience.firstPauseMs * 2 ** (tries - 1)));

/** `Retry-After` was the same for many: so much of it, behind it, is what spreads them. */
const SPREAD_BEHIND = 0.25;

/**
 * How long to wait, in milliseconds, where we would wait for `pauseMs` and were asked to stay away for `retryAfterMs`: never
 * less than that, and each a little longer, by chance.
 */
export function notBefore(retryAfterMs: number | null, pauseMs: number): number {
  const asked = retryAfterMs ?? 0;
  return Math.max(pauseMs, asked + Math.random() * Math.max(pauseMs, asked * SPREAD_BEHIND));
}

/** The failure that says that AMP cannot be asked, and nothing about any cell. */
export function failureOf(error: AmpError, how: Pick<Ask, 'jobId'>): ApplicationFailure {
  const type = error.trouble.kind === 'denied' ? FAILURE.accessDenied : FAILURE.ampUnavailable;
  const jobId = how.jobId?.() ?? null;
  return ApplicationFailure.create({
    message: error.message,
    type,
    nonRetryable: true,
    details: [jobId === null ? {} : { jobId }],
    cause: error,
  });
}

/** How long AMP asked to be left alone, in milliseconds, a minute at most; null where it did not ask. */
export function retryAfterOf(error: AmpError): number | null {
  const { trouble } = error;
  if (trouble.kind !== 'throttled' && trouble.kind !== 'server') return null;
  return trouble.retryAfterMs === null ? null : Math.min(MAX_RETRY_AFTER_MS, trouble.retryAfterMs);
}
