import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { CELLS_RING, CELLS_STATE } from '../../src/contract/search-attributes.js';
import { markdownOfRollout } from '../../src/domain/details.js';
import { trim } from '../../src/domain/rollout/state.js';
import type { PackageContext } from './context.js';

/** What the Web UI and a list of workflows show of one package. */
export class Shown {
  private last = '';

  constructor(private readonly ctx: PackageContext) {}

  show(): void {
    trim(this.ctx.state);
    const view = this.ctx.view();
    setCurrentDetails(markdownOfRollout(view));
    const ring = view.rings.findLast((r) => r.startedAt !== null)?.ring;
    const attributes = `${view.state} ${ring}`;
    if (attributes === this.last) return;
    this.last = attributes;
    const state = { key: CELLS_STATE, value: view.state };
    if (ring === undefined) upsertSearchAttributes([state]);
    else upsertSearchAttributes([state, { key: CELLS_RING, value: ring }]);
  }
}
