import { packageRollbackId } from '../../src/contract/ids.js';
import type { AskRollback, RollbackEnded } from '../../src/contract/returning.js';
import { blockOf } from '../../src/domain/cluster/blocks.js';
import { endRollback, judgeRollback, noteRollback, ringsToReturn } from '../../src/domain/cluster/rollbacks.js';
import { decisionOfReturn } from '../../src/domain/ledger/decisions.js';
import { rollbackAnswerSignal } from '../shared/signals.js';
import type { Blocks } from './blocks.js';
import type { ClusterContext } from './context.js';
import type { Turns } from './turns.js';

/** Packages that are taken back: remembered while that lasts, and blocked first. */
export class Rollbacks {
  constructor(
    private readonly ctx: ClusterContext,
    private readonly blocks: Blocks,
    private readonly turns: Turns,
  ) {}

  async asked(message: AskRollback): Promise<void> {
    const { ctx } = this;
    const { version, run } = message;
    const refused = judgeRollback(ctx.state, message);
    if (refused) ctx.fileRejection('rollback', refused, message.by);
    else if (!message.dryRun) this.begin(message);
    const answer = { run, refused, cluster: ctx.state.cluster, rings: ringsToReturn(ctx.state, version) };
    await ctx.mail.send(packageRollbackId(version), rollbackAnswerSignal, answer);
  }

  ended(message: RollbackEnded): void {
    endRollback(this.ctx.state, message, Date.now());
    this.ctx.wake();
  }

  /** Asked again by the same run, it is one act. */
  private begin(message: AskRollback): void {
    const { ctx } = this;
    const { version, run, by, reason, url, ring } = message;
    const isNew = ctx.state.rollbacks[version]?.run !== run;
    noteRollback(ctx.state, message, Date.now());
    this.turns.forgetEarlierRun(packageRollbackId(version), run);
    const person = { by, reason, url: url ?? undefined, version, ...(ring === null ? {} : { ring }) };
    if (isNew) {
      ctx.record('rollback', person, `${version} goes back from ${ring === null ? 'every ring' : `ring ${ring}`}`);
      ctx.enter(decisionOfReturn(version, ctx.state));
    }
    // Who blocked it before knows better why, and perhaps in what it is fixed.
    const isToBlock = message.block && blockOf(ctx.state.blocked, version) === null;
    if (isToBlock) this.blocks.put({ version, by, reason, ...(url === null ? {} : { url }) });
    ctx.wake();
  }
}
