import * as messages from '../../src/contract/messages.js';
import type { BlockedVersion } from '../../src/contract/status.js';
import {
  blockFrom,
  brakeOfBlock,
  isSameBlock,
  noteFix,
  rangeText,
  whyNoRoomToBlock,
  whyNotBlocked,
  whyNotFixedIn,
  withBlock,
  withoutBlock,
} from '../../src/domain/cluster/blocks.js';
import type { BrakeDesk } from '../shared/brake-desk.js';
import { rejectedBecause, validated } from '../shared/validation.js';
import type { ClusterContext } from './context.js';

/** Blocked packages: told to the passes, and confirmed by them, as brakes are. */
export class Blocks {
  constructor(
    private readonly ctx: ClusterContext,
    private readonly brakes: BrakeDesk,
  ) {}

  judgeBlock(payload: unknown): void {
    const { version, fixedIn } = validated(messages.blockVersion, payload);
    const notFixed = whyNotFixedIn(version, fixedIn);
    if (notFixed) throw rejectedBecause('fixedIn', fixedIn, notFixed);
    const full = whyNoRoomToBlock(this.ctx.state.blocked, version);
    if (full) throw rejectedBecause('version', version, full);
  }

  judgeUnblock(payload: unknown): void {
    const { version } = validated(messages.unblockVersion, payload);
    const problem = whyNotBlocked(this.ctx.state.blocked, version);
    if (problem) throw rejectedBecause('version', version, problem);
  }

  block(payload: unknown): BlockedVersion {
    return this.put(validated(messages.blockVersion, payload));
  }

  put({ url, fixedIn, ...message }: messages.BlockVersion): BlockedVersion {
    const { state } = this.ctx;
    const since = new Date(Date.now()).toISOString();
    const more = { ...(fixedIn === undefined ? {} : { fixedIn }), ...(url === undefined ? {} : { url }) };
    const block: BlockedVersion = { ...message, since, ...more };
    const before = blockFrom(state.blocked, block.version);
    // The same block again, as a signal and then as an update, is one act of one person; the passes are told again.
    const isSame = before !== null && isSameBlock(before, block);
    if (!isSame) {
      state.blocked = withBlock(state.blocked, block);
      noteFix(state, block);
      this.ctx.record('blockVersion', block, `blocked: ${rangeText(block)}`);
    }
    this.brakes.renew();
    return isSame ? before : block;
  }

  /** The same; answers the cells that may still get one of these packages, once no other cell can. */
  async blockSurely(payload: unknown): Promise<string[]> {
    const { inFlight } = await this.brakes.confirmed(brakeOfBlock(this.block(payload)));
    return inFlight;
  }

  unblock(payload: unknown): void {
    const message = validated(messages.unblockVersion, payload);
    const { state } = this.ctx;
    const lifted = blockFrom(state.blocked, message.version);
    state.blocked = withoutBlock(state.blocked, message.version);
    this.ctx.record('unblockVersion', message, `no longer blocked: ${lifted ? rangeText(lifted) : message.version}`);
    this.brakes.renew();
  }
}
