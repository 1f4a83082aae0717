import { log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import { ledgerTaskQueue } from '../../src/contract/ids.js';
import type { LedgerActivities, Standing } from '../../src/contract/ledger.js';
import { restore } from '../../src/domain/cluster/restore.js';
import type { Recalled } from '../../src/domain/cluster/state.js';
import { hasOrders, summaryOf } from '../../src/domain/ledger/standing.js';
import { isLedgerServed } from '../shared/activities.js';
import type { ClusterContext } from './context.js';

const UNKNOWN = 'brakes, blocks, quarantines and graduations of before are not known';

/** Longer than Temporal repeats what it said of who polls, which is 5 s: a worker that has just begun is not yet seen. */
const UNSERVED_FOR_MS = 10_000;

/** Seconds: whoever starts a cluster waits for this. */
const asking = (isLastChance: boolean) =>
  proxyActivities<LedgerActivities>({
    taskQueue: ledgerTaskQueue(workflowInfo().taskQueue),
    scheduleToStartTimeout: isLastChance ? '15s' : '5s',
    startToCloseTimeout: '20s',
    scheduleToCloseTimeout: '30s',
    retry: { initialInterval: '500ms', backoffCoefficient: 2 },
  });

/** Reads back from the ledger what stood before this cluster began. */
export class Recall {
  constructor(private readonly ctx: ClusterContext) {}

  /**
   * @param isLastChance nobody asks again: what is not known now is forgotten, so a ledger that is just coming back is waited for
   * @param isWanted asked when the ledger has answered: where it is wanted no more, nothing is put back
   */
  async recall(isLastChance: boolean, isWanted = () => true): Promise<Recalled> {
    const standing = await this.ask(isLastChance);
    if (typeof standing === 'string' || !isWanted()) {
      return {
        found: `${typeof standing === 'string' ? standing : 'too late'}: ${UNKNOWN}`,
        hasOrders: false,
        isUnknown: true,
      };
    }
    restore(this.ctx.state, standing);
    return { found: `by the ledger: ${summaryOf(standing)}`, hasOrders: hasOrders(standing), isUnknown: false };
  }

  /** Answers why nothing is known, where that is so. */
  private async ask(isLastChance: boolean): Promise<Standing | string> {
    try {
      const forMs = isLastChance ? UNSERVED_FOR_MS : 0;
      if (!(await isLedgerServed({ forMs }))) return 'no worker has the ledger open';
      return await asking(isLastChance).readStanding({ cluster: this.ctx.state.cluster ?? '' });
    } catch (error) {
      log.warn('the ledger did not answer', { error: String(error) });
      return 'the ledger did not answer';
    }
  }
}
