import type { PackageRollbackArgument } from '../../src/contract/messages.js';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import { newRollbackState, type RollbackState } from '../../src/domain/rollback/state.js';
import { viewOfRollback } from '../../src/domain/rollback/view.js';
import { PackageContext } from '../package/context.js';

/** What the parts of one rollback share: those of a rollout, which takes its package back in the same way. */
export class RollbackContext extends PackageContext {
  readonly rollback: RollbackState;

  constructor(order: PackageRollbackArgument, carried: RollbackState | undefined) {
    const rollback = carried ?? newRollbackState(order, Date.now());
    super(order.version, null, rollback.package);
    this.rollback = rollback;
  }

  readonly seen = (): PackageRollbackStatus => viewOfRollback(this.rollback, Date.now());
}
