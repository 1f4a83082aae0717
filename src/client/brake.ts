import type { EngageBrake } from '../contract/messages.js';
import type { BrakeResult } from '../contract/status.js';
import { brakeIdFor } from './brake-id.js';
import type { CallOptions, Calls, Target } from './calls.js';
import { UnreachableError } from './errors.js';

/**
 * Engages a brake twice: as a signal, which Temporal keeps even when no worker is up, and then as an update, whose
 * answer says that it holds. Both carry one `brakeId`, so that the second takes the first one's place.
 */
export async function engageSurely(
  calls: Calls,
  target: Target,
  payload: EngageBrake,
  options?: CallOptions,
): Promise<BrakeResult> {
  const brakeId = payload.brakeId ?? brakeIdFor(payload.by, Date.now());
  const brake = { ...payload, brakeId };
  await calls.signal(target.workflowId, 'engageBrake', brake);
  return afterSignal(`brake ${brakeId}`, () => calls.request<BrakeResult>(target, 'engageBrake', brake, options));
}

/** Says of an update that nobody answers, and that a signal went before, that what was asked for is recorded. */
export async function afterSignal<T>(what: string, update: () => Promise<T>): Promise<T> {
  try {
    return await update();
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    const unconfirmed = new UnreachableError(error.what, `${error.message}: nobody confirms ${what}`, { cause: error });
    unconfirmed.recorded = true;
    throw unconfirmed;
  }
}
