import stringWidth from 'string-width';

/** Lines for a terminal: cut to its width before they are coloured, so that nothing wraps and no colour leaks. */

export type Paint = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Colours = Record<Paint, (text: string) => string>;
export type Segment = string | readonly [text: string, ...paint: Paint[]];

export interface View {
  /** Epoch milliseconds. */
  now: number;
  /** Columns; nothing is cut at `Infinity`. */
  width: number;
  colours: Colours;
}

const same = (text: string): string => text;
export const NO_COLOURS: Colours = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

const ELLIPSIS = '…';

export const fits = ({ width }: Pick<View, 'width'>, segments: readonly Segment[]): boolean =>
  segments.reduce((sum, segment) => sum + stringWidth(textOf(segment)), 0) <= width;

/** One line of at most the view's width. */
export function line(view: Pick<View, 'width' | 'colours'>, segments: readonly Segment[]): string {
  const isCut = !fits(view, segments);
  let left = isCut ? view.width - 1 : view.width;
  let out = '';
  for (const segment of segments) {
    const text = cut(textOf(segment), left);
    left -= stringWidth(text);
    out += painted(text, segment, view.colours);
    if (text !== textOf(segment)) break;
  }
  return (isCut ? `${out}${ELLIPSIS}` : out).trimEnd();
}

/** Lines of whole words, each of at most the view's width, indent included; one word that is longer is cut. */
export function wrapped(view: Pick<View, 'width' | 'colours'>, indent: string, text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && stringWidth(indent + longer) <= view.width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((words) => line(view, [indent, words]));
}

/** Text padded to a number of columns. */
export const padded = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - stringWidth(text)));

const textOf = (segment: Segment): string => (typeof segment === 'string' ? segment : segment[0]);

function painted(text: string, segment: Segment, colours: Colours): string {
  if (typeof segment === 'string' || text === '') return text;
  const [, ...paints] = segment;
  return paints.reduce((sofar, paint) => colours[paint](sofar), text);
}

function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let out = '';
  let used = 0;
  for (const character of text) {
    used += stringWidth(character);
    if (used > width) break;
    out += character;
  }
  return out;
}
