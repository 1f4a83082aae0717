import { CancellationScope } from '@temporalio/workflow';

/** What a workflow does once it is cancelled through Temporal: what begins then is not cancelled with it. */
export function whenCancelled(act: () => void): void {
  const steady = () => CancellationScope.nonCancellable(async () => act());
  void CancellationScope.current().cancelRequested.catch(steady);
}
