import { createHash } from 'node:crypto';
import type { AmpJobKind } from '../../contract/amp.js';
import { isMeasured } from './measured.js';
import type { Fault, FaultKind, FaultOf } from './schema.js';

/** What a fault could strike; an absent field matches only faults that do not ask for it. */
export interface Occasion {
  cell?: string | null | undefined;
  tenant?: string | null | undefined;
  version?: string | null | undefined;
  jobKind?: AmpJobKind | undefined;
}

/** A fault with what has come of it: `seen` occasions that matched, `hits` that it struck. */
export interface HeldFault {
  id: string;
  fault: Fault;
  seen: number;
  hits: number;
}

export interface FaultMemory {
  added(held: HeldFault): void;
  removed(id: string): void;
  counted(held: HeldFault): void;
}

/** The faults in force. */
export class FaultBox {
  #byKind = new Map<FaultKind, HeldFault[]>();
  #byId = new Map<string, HeldFault>();
  #lastNumber = 0;

  constructor(
    private readonly random: () => number,
    private readonly memory: FaultMemory,
  ) {}

  /** Adds a fault that was asked for, under a new id. */
  add(fault: Fault): HeldFault {
    const held: HeldFault = { id: `fault-${this.#lastNumber + 1}`, fault, seen: 0, hits: 0 };
    this.hold(held);
    this.memory.added(held);
    return held;
  }

  /** Puts a fault back, or one of a file in: nobody needs to remember it. */
  hold(held: HeldFault): void {
    this.retire([held.id]);
    this.#byId.set(held.id, held);
    this.#byKind.set(held.fault.kind, [...(this.#byKind.get(held.fault.kind) ?? []), held]);
  }

  /** Keeps new faults from taking these ids. */
  retire(ids: Iterable<string>): void {
    for (const id of ids) {
      const number = Number(/^fault-(\d+)$/.exec(id)?.[1] ?? 0);
      this.#lastNumber = Math.max(this.#lastNumber, number);
    }
  }

  list(): HeldFault[] {
    return [...this.#byId.values()];
  }

  remove(id: string): boolean {
    const held = this.#byId.get(id);
    if (held === undefined) return false;
    this.#byId.delete(id);
    const { kind } = held.fault;
    this.#byKind.set(
      kind,
      (this.#byKind.get(kind) ?? []).filter((other) => other !== held),
    );
    this.memory.removed(id);
    return true;
  }

  has(kind: FaultKind): boolean {
    return (this.#byKind.get(kind)?.length ?? 0) > 0;
  }

  /** The first fault of a kind that strikes here; counts the occasion for those that it tried. */
  strike<K extends FaultKind>(
    kind: K,
    occasion: Occasion,
    applies: (fault: FaultOf<K>) => boolean = () => true,
  ): (HeldFault & { fault: FaultOf<K> }) | undefined {
    for (const held of this.#byKind.get(kind) ?? []) {
      if (!isOfKind(held, kind) || !matches(held.fault, occasion) || !applies(held.fault)) continue;
      if (this.#strikes(held)) return held;
    }
    return undefined;
  }

  /** Whether a fault of a kind would strike here, without counting. */
  wouldStrike<K extends FaultKind>(
    kind: K,
    occasion: Occasion,
    applies: (fault: FaultOf<K>) => boolean = () => true,
  ): boolean {
    return (this.#byKind.get(kind) ?? []).some(
      (held) =>
        isOfKind(held, kind) &&
        matches(held.fault, occasion) &&
        applies(held.fault) &&
        held.seen >= limitsOf(held.fault).after &&
        held.hits < limitsOf(held.fault).times,
    );
  }

  #strikes(held: HeldFault): boolean {
    const { after, times, share } = limitsOf(held.fault);
    if (held.hits >= times) return false;
    const early = held.seen < after;
    const strikes = !early && (share >= 1 || this.random() < share);
    held.seen += 1;
    if (strikes) held.hits += 1;
    // Unlimited faults strike every request: what nobody will ever compare is not written down.
    if ((strikes && times !== Number.POSITIVE_INFINITY) || early) this.memory.counted(held);
    return strikes;
  }
}

/** The id of a fault of a file: the same after a restart on the same file, so that `times` is not counted anew. */
export function idOfFileFault(fault: Fault, index: number): string {
  const digest = createHash('sha1').update(JSON.stringify(fault)).digest('hex');
  return `file-${index + 1}-${digest.slice(0, 8)}`;
}

function isOfKind<K extends FaultKind>(held: HeldFault, kind: K): held is HeldFault & { fault: FaultOf<K> } {
  return held.fault.kind === kind;
}

function limitsOf(fault: Fault): { after: number; times: number; share: number } {
  if (fault.kind === 'changed-by-hand') return { after: 0, times: 1, share: 1 };
  if (isMeasured(fault)) return { after: 0, times: Number.POSITIVE_INFINITY, share: 1 };
  const unlimited = fault.kind === 'tenant-busy' ? 1 : Number.POSITIVE_INFINITY;
  return { after: fault.after ?? 0, times: fault.times ?? unlimited, share: fault.share ?? 1 };
}

function matches(fault: Fault, occasion: Occasion): boolean {
  if (fault.cell !== undefined && fault.cell !== occasion.cell) return false;
  if (fault.tenant !== undefined && fault.tenant !== occasion.tenant) return false;
  // The version of a change by hand is what it sets.
  if (fault.kind === 'changed-by-hand') return true;
  if ('version' in fault && fault.version !== undefined && fault.version !== occasion.version) return false;
  return !('jobKind' in fault) || fault.jobKind === undefined || fault.jobKind === occasion.jobKind;
}
