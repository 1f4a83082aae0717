import { executeChild, proxyActivities } from '@temporalio/workflow';

export interface BareRingInput {
  cells: number;
  /** Cells in flight at once. */
  window: number;
  /** Empty activities a cell. */
  activities: number;
  /** Makes the children's ids differ from those of other runs. */
  round: number;
}

/** Long enough that no timeout comes due, and costs the server something, while the other side is being measured. */
const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({ startToCloseTimeout: '1h' });

/** The least that any coordinator of this shape does: one parent, one child a cell, a sliding window, nothing else. */
export async function BareRing({ cells, window, activities, round }: BareRingInput): Promise<void> {
  let next = 0;
  const slot = async () => {
    while (next < cells) {
      const workflowId = `bare/${round}/${next}`;
      next += 1;
      await executeChild(BareCell, { workflowId, args: [activities] });
    }
  };
  await Promise.all(Array.from({ length: window }, slot));
}

export async function BareCell(activities: number): Promise<void> {
  for (let i = 0; i < activities; i += 1) await nothing();
}
