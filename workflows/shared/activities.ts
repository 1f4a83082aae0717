import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../../src/contract/activities.js';
import { FAILURE } from '../../src/contract/failures.js';

/**
 * How long each kind of effect may take, and why. What AMP or Temporal answers in its own time is one heartbeating
 * activity; a worker that dies is noticed by the missing heartbeat, and another attempt goes on within seconds.
 */

const TROUBLE_IS_FOR_THE_WORKFLOW = [FAILURE.ampUnavailable, FAILURE.accessDenied, FAILURE.healthUnavailable];

/** Watches something for as long as it takes. A cancel is an order: its outcome is waited for. */
const watching = proxyActivities<Activities>({
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '10s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: {
    initialInterval: '500ms',
    backoffCoefficient: 1.5,
    maximumInterval: '5s',
    nonRetryableErrorTypes: TROUBLE_IS_FOR_THE_WORKFLOW,
  },
});

/** Looks once at many things; bounded, and repeated until it works. A cancelled look is dropped. */
const looking = proxyActivities<Activities>({
  startToCloseTimeout: '5m',
  heartbeatTimeout: '10s',
  cancellationType: 'ABANDON',
  retry: {
    initialInterval: '500ms',
    backoffCoefficient: 1.5,
    maximumInterval: '10s',
    nonRetryableErrorTypes: TROUBLE_IS_FOR_THE_WORKFLOW,
  },
});

/** Watches that nobody needs the end of: dropped at once when cancelled. */
const dropping = proxyActivities<Activities>({
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '10s',
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '5s' },
});

/** Helps where it can be had in time; nothing waits for it longer. */
const glancing = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '5s' },
});

/** Says how something is, as far as that can be had; that it cannot is an answer, too. */
const measuring = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  heartbeatTimeout: '10s',
  scheduleToCloseTimeout: '3m',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '10s' },
});

/** The same, where seconds of asking again are part of the question. */
const enquiring = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '1m',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '5s' },
});

/** Tells people; a system that is down must not hold anything up, so it is tried for a while only. */
const telling = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '10m',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
});

/** Hands over to another workflow, for which nothing but Temporal itself is needed. */
const handing = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '10s' },
});

/** Within the workflow task that asks: what happens meanwhile comes with the next one, all at once. */
const within = proxyLocalActivities<Activities>({ startToCloseTimeout: '2s', retry: { maximumAttempts: 1 } });

export const { runJob, verifyCell, judgeCell, surveyPackage } = watching;
export const { listOpenCells } = glancing;
export const { isLedgerServed } = enquiring;
export const { lookAtCells, describeRuns, terminatePass, readRollout, listOpenRollouts, readCalendar } = looking;
export const { readEntry, describePass } = looking;
export const { judgeRing } = measuring;
export const { watchCells, awaitCells, watchRing, awaitHealthyRings, watchChecks } = dropping;
export const { raiseAlert } = telling;
export const { tellLedger } = handing;
export const { linger } = within;
