import type { ActRecord } from '../../test/invariants/index.js';

/** What was asked for during the year, by whom, and what came of it. */
export class Diary {
  /** Every act, as the checks of contract section 7 read them. */
  readonly acts: ActRecord[] = [];
  /** What the operator typed because something waited for a person. */
  readonly typed: Typed[] = [];
  /** How each package fared at the perimeter. */
  readonly releases: Released[] = [];
  /** What did not go as asked: refused, or not to be reached. */
  readonly troubles: Trouble[] = [];

  trouble(what: string, error: unknown): void {
    const name = error instanceof Error ? error.name : 'Error';
    const message = error instanceof Error ? error.message : String(error);
    this.troubles.push({ atMs: Date.now(), what, name, message: message.slice(0, 400) });
  }
}

export interface Typed {
  atMs: number;
  /** What the to-do was about. */
  kind: string;
  verb: string;
  line: string;
  exit: number;
  version?: string;
  ring?: number;
  cell?: string;
  said: string;
}

export interface Released {
  atMs: number;
  version: string;
  urgent: boolean;
  bad: boolean;
  /** What ring 0 made of it, or why nobody could deploy it there. */
  ring0: string;
  graduated: boolean;
}

export interface Trouble {
  atMs: number;
  what: string;
  name: string;
  message: string;
}
