import { log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import { ledgerTaskQueue } from '../../src/contract/ids.js';
import type { LedgerActivities, Standing } from '../../src/contract/ledger.js';
import { restore } from '../../src/domain/cluster/restore.js';
import type { Recalled } from '../../src/domain/cluster/state.js';
import { hasOrders, summaryOf } from '../../src/domain/ledger/standing.js';
import { isLedgerServed } from '../shared/activities.js';
import type { ClusterContext } from './context.js';

const UNKNOWN = 'brakes, blocks, quarantines and graduations of before are not known';

/** Seconds: whoever starts a cluster waits for this. */
const asking = () =>
  proxyActivities<LedgerActivities>({
    taskQueue: ledgerTaskQueue(workflowInfo().taskQueue),
    scheduleToStartTimeout: '5s',
    startToCloseTimeout: '20s',
    scheduleToCloseTimeout: '30s',
    retry: { initialInterval: '500ms', backoffCoefficient: 2 },
  });

/** Reads back from the ledger what stood before this cluster began. */
export class Recall {
  constructor(private readonly ctx: ClusterContext) {}

  /** @param isWanted asked when the ledger has answered: where it is wanted no more, nothing is put back */
  async recall(isWanted = () => true): Promise<Recalled> {
    const standing = await this.ask();
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
  private async ask(): Promise<Standing | string> {
    try {
      if (!(await isLedgerServed())) return 'no worker has the ledger open';
      return await asking().readStanding({ cluster: this.ctx.state.cluster ?? '' });
    } catch (error) {
      log.warn('the ledger did not answer', { error: String(error) });
      return 'the ledger did not answer';
    }
  }
}
