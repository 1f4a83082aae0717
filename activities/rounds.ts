import type { Verdict } from '../src/contract/health.js';
import type { RingHealthNote } from '../src/contract/internal.js';

const WORST_FIRST: readonly Verdict[] = ['unhealthy', 'inconclusive', 'healthy'];

/** Looks at a ring that is too large for one of them: what the last round of them said together. */
export class Rounds {
  private notes: RingHealthNote[] = [];
  private length = 0;

  /** Whether each cell of the ring has been in one of these looks. */
  get isWhole(): boolean {
    return this.length > 0 && this.notes.length === this.length;
  }

  /** Takes the word of one look, and answers the worst word of the round that ends with it. */
  note(note: RingHealthNote, rounds: number): RingHealthNote {
    // With other turns it is not known any more who was in which look.
    if (rounds !== this.length) this.notes = [];
    this.length = rounds;
    this.notes = [...this.notes, note].slice(-rounds);
    const worst = WORST_FIRST.flatMap((verdict) => this.notes.findLast((n) => n.verdict === verdict) ?? [])[0] ?? note;
    // One look names only cells whose turn it was.
    const { unknown, ...rest } = worst;
    return { ...rest, ...(unknown && rounds === 1 ? { unknown } : {}), atMs: note.atMs };
  }
}
