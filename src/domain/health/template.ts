/** The cell that a query is filled in for. */
export interface TemplateCell {
  id: string;
  labels?: Readonly<Record<string, string>> | undefined;
}

const PLACEHOLDER = /\{\{\s*([A-Za-z][^{}]*?)\s*\}\}/y;

/** Where a placeholder stands, as far as it decides how its value must be escaped. */
interface Place {
  quote: '"' | "'" | '`';
  /** What the text in the quotes is: plain, a regular expression, or the replacement of a `label_replace`. */
  kind: 'text' | 'regex' | 'replacement';
}

/** An open bracket: what stands before it, and how many commas it holds so far. */
interface Bracket {
  name: string;
  argument: number;
}

/**
 * Fills the placeholders of a PromQL template: `{{cell}}` with the cell's id, `{{label.NAME}}` with one of its labels.
 * A placeholder may stand in a string literal only, and its value is escaped for that literal (and for the regular
 * expression in it, after `=~` and `!~` and in `label_replace`), so that no value can change what the query asks. Throws
 * RangeError for an unknown placeholder or label, and for a value that cannot be escaped where it stands.
 */
export function fillTemplate(query: string, cell: TemplateCell): string {
  return new Filler(query, cell).fill();
}

/** Reads a query from left to right, as far as PromQL's lexer goes: comments, string literals, brackets. */
class Filler {
  private at = 0;
  private out = '';
  /** What was read last of the code, without blanks: it tells what a string literal is for. */
  private code = '';
  private readonly brackets: Bracket[] = [];

  constructor(
    private readonly query: string,
    private readonly cell: TemplateCell,
  ) {}

  fill(): string {
    while (this.at < this.query.length) {
      const char = this.query.charAt(this.at);
      if (char === '#') this.comment();
      else if (char === '"' || char === "'" || char === '`') this.literal(char);
      else this.codeChar(char);
    }
    return this.out;
  }

  private comment(): void {
    const end = this.query.indexOf('\n', this.at);
    this.copyTo(end < 0 ? this.query.length : end);
  }

  private codeChar(char: string): void {
    const name = this.placeholder();
    if (name !== null) throw new RangeError(`{{${name}}} stands outside of a string literal: put it in quotes`);
    if ('([{'.includes(char)) this.brackets.push({ name: /\w*$/.exec(this.code)?.[0] ?? '', argument: 0 });
    else if (')]}'.includes(char)) this.brackets.pop();
    else if (char === ',') this.nextArgument();
    if (!/\s/.test(char)) this.code = (this.code + char).slice(-40);
    this.copyTo(this.at + 1);
  }

  private nextArgument(): void {
    const bracket = this.brackets.at(-1);
    if (bracket) bracket.argument += 1;
  }

  private literal(quote: Place['quote']): void {
    const place: Place = { quote, kind: this.kindOfLiteral() };
    this.copyTo(this.at + 1);
    const start = this.at;
    while (this.query.charAt(this.at) !== quote) {
      if (this.at >= this.query.length) throw new RangeError(`the string literal opened with ${quote} is not closed`);
      const name = this.placeholder();
      if (name !== null) this.fillIn(name, place, this.query.slice(start, this.at));
      else this.literalChar(quote);
    }
    this.copyTo(this.at + 1);
    this.code = quote;
  }

  private literalChar(quote: Place['quote']): void {
    const escapes = quote !== '`' && this.query.charAt(this.at) === '\\';
    this.copyTo(this.at + 1);
    if (escapes && this.placeholder() === null) this.copyTo(this.at + 1);
  }

  private kindOfLiteral(): Place['kind'] {
    if (/[=!]~$/.test(this.code)) return 'regex';
    const call = this.brackets.at(-1);
    if (call?.name.toLowerCase() !== 'label_replace') return 'text';
    return call.argument === 2 ? 'replacement' : call.argument === 4 ? 'regex' : 'text';
  }

  private fillIn(name: string, place: Place, before: string): void {
    const begun = /(\\+)(x.?|u.{0,3}|U.{0,7}|[0-7]{0,2})$/.exec(before);
    // An even number of backslashes are literal ones.
    if (begun && place.quote !== '`' && (begun[1] ?? '').length % 2 === 1) {
      throw new RangeError(`{{${name}}} stands in the middle of an escape sequence`);
    }
    if (place.kind === 'regex' && (before.endsWith('\\') || before.includes('\\Q'))) {
      throw new RangeError(`{{${name}}} stands where a regular expression quotes what follows`);
    }
    this.out += escaped(this.valueOf(name), name, place);
    this.at = PLACEHOLDER.lastIndex;
  }

  /** The name of the placeholder that begins here, or null. */
  private placeholder(): string | null {
    PLACEHOLDER.lastIndex = this.at;
    return PLACEHOLDER.exec(this.query)?.[1] ?? null;
  }

  private valueOf(name: string): string {
    if (name === 'cell') return this.cell.id;
    const labels = this.cell.labels ?? {};
    const label = /^label\.(.+)$/.exec(name)?.[1];
    if (label === undefined) throw new RangeError(`{{${name}}} is not known: there are {{cell}} and {{label.NAME}}`);
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (value !== undefined) return value;
    const known = Object.keys(labels).join(', ') || 'none';
    throw new RangeError(`cell ${this.cell.id} has no label ${JSON.stringify(label)}; it has: ${known}`);
  }

  private copyTo(end: number): void {
    this.out += this.query.slice(this.at, end);
    this.at = end;
  }
}

function escaped(value: string, name: string, { quote, kind }: Place): string {
  if (/\p{Surrogate}/u.test(value)) throw new RangeError(`the value of {{${name}}} is no well-formed text`);
  const inside =
    kind === 'regex' ? quotedForRegex(value) : kind === 'replacement' ? value.replace(/\$/g, '$$$$') : value;
  if (quote !== '`') return escapedForQuotes(inside, quote);
  if (!inside.includes('`')) return inside;
  throw new RangeError(`the value of {{${name}}} has a back quote, which a literal in back quotes cannot hold`);
}

/** RE2 takes a backslash before any ASCII punctuation, inside of a character class too. */
const quotedForRegex = (value: string): string => value.replace(/[!-/:-@[-^`{-~]/g, '\\$&');

/** PromQL reads Go's escapes, and takes a quote's escape in a literal of that quote only. */
const escapedForQuotes = (value: string, quote: string): string =>
  value.replace(/[\\"'\p{Cc}\u2028\u2029]/gu, (char) => {
    if (char === '\\') return '\\\\';
    if (char === '"' || char === "'") return char === quote ? `\\${char}` : char;
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
