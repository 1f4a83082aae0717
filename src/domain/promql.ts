/**
 * As much of PromQL as it takes to find where a query reads single samples, and how far back it looks. Prometheus answers such a read with the
 * newest sample of the last five minutes, under the time of the evaluation: only `timestamp(SELECTOR)` tells how old it
 * really is. The grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/
 */

const TOKEN = /(\s+|#[^\n]*)|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[A-Za-z_:][\w:]*|(?:\d|\.\d)[\w.]*|./gsy;
const NAME = /^[A-Za-z_:]/;

/** Followed by a list of labels in parentheses. */
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const OPERATORS = new Set(['and', 'or', 'unless', 'atan2', 'bool', 'offset', 'inf', 'nan']);

interface Token {
  text: string;
  start: number;
  end: number;
}

/**
 * The vector selectors of a query that read one sample a series, with their modifiers, each once. Those that read a
 * range (`x[5m]`) are left out: what they read is named by the query itself.
 */
export function instantSelectors(query: string): string[] {
  const tokens = tokensOf(query);
  const found = new Set<string>();
  for (let at = 0; at < tokens.length; ) {
    const end = selectorEnd(tokens, at);
    if (end === at) {
      at = skip(tokens, at);
      continue;
    }
    if (textAt(tokens, end) !== '[') {
      const last = modifiersEnd(tokens, end);
      found.add(query.slice(tokens[at]?.start, tokens[last - 1]?.end));
    }
    at = end;
  }
  return [...found];
}

/** `ratio_5m`, `rate5m`: how far back a recording rule looks, by its name. */
const RULE_RANGE = /[a-z]_?((?:\d{1,6}(?:ms|[smhdwy]))+)$/;

/**
 * How far back a value of this query looks, in ms: ranges (`[5m]`, also those of subqueries, around what they look back
 * over themselves), offsets, and the ranges in names of recording rules; the furthest of what it is made of, 0 where it
 * looks back nowhere.
 */
export function rangeOfQuery(query: string): number {
  const tokens = tokensOf(query);
  const open: number[] = [];
  // Of the list or operation that is being read: the furthest so far, and the operand that was read last.
  let furthest = 0;
  let last = 0;
  const next = (range = 0) => {
    furthest = Math.max(furthest, last);
    last = range;
  };
  for (let at = 0; at < tokens.length; at = skipAll(tokens, at)) {
    const text = textAt(tokens, at);
    if (text === '(') {
      next();
      open.push(furthest);
      furthest = 0;
    } else if (text === ')') {
      next();
      last = furthest;
      furthest = open.pop() ?? 0;
    } else if (text === '[') last += durationIn(tokens, at);
    else if (text.toLowerCase() === 'offset') last += offsetAfter(tokens, at + 1);
    else if (NAME.test(text)) next(msOf(RULE_RANGE.exec(text)?.[1] ?? ''));
    else if (text !== '{' && text !== '@') next();
  }
  next();
  return Math.max(furthest, ...open);
}

/** The next token; labels, ranges and instants are read as one with what stands before them. */
function skipAll(tokens: Token[], at: number): number {
  const text = textAt(tokens, at);
  if (text === '{') return behind(tokens, at, '}');
  return modifierEnd(tokens, at) ?? skip(tokens, at);
}

/** The range in brackets, up to the colon of a subquery: its step looks nowhere. */
function durationIn(tokens: Token[], at: number): number {
  const texts = tokens.slice(at + 1, behind(tokens, at, ']') - 1).map(({ text }) => text);
  const step = texts.findIndex((text) => text.startsWith(':'));
  return texts.slice(0, step === -1 ? texts.length : step).reduce((sum, text) => sum + msOf(text), 0);
}

/** An offset into the future looks nowhere back. */
const offsetAfter = (tokens: Token[], at: number): number => {
  const sign = textAt(tokens, at);
  return sign === '-' ? 0 : msOf(textAt(tokens, sign === '+' ? at + 1 : at));
};

const PART = /(\d+(?:\.\d+)?)(ms|[smhdwy])/gy;
const PART_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `1h30m`, or seconds without a unit. */
function msOf(duration: string): number {
  if (/^[\d.]+$/.test(duration)) return Number(duration) * 1_000;
  return [...duration.matchAll(PART)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (PART_MS[unit] ?? 0),
    0,
  );
}

function tokensOf(query: string): Token[] {
  return [...query.matchAll(TOKEN)]
    .filter((match) => match[1] === undefined)
    .map((match) => ({ text: match[0], start: match.index, end: match.index + match[0].length }));
}

const textAt = (tokens: Token[], at: number): string => tokens[at]?.text ?? '';

/** Behind the selector that begins here; `at` itself where none does. */
function selectorEnd(tokens: Token[], at: number): number {
  const text = textAt(tokens, at);
  if (text === '{') return behind(tokens, at, '}');
  if (!NAME.test(text)) return at;
  const word = text.toLowerCase();
  const next = textAt(tokens, at + 1);
  // A name before a parenthesis or a grouping is a function or an aggregation.
  if (GROUPING.has(word) || OPERATORS.has(word) || next === '(' || GROUPING.has(next.toLowerCase())) return at;
  return next === '{' ? behind(tokens, at + 1, '}') : at + 1;
}

/** Behind what is no selector: one token, or a whole list of labels, or a range. */
function skip(tokens: Token[], at: number): number {
  const text = textAt(tokens, at);
  if (text === '[') return behind(tokens, at, ']');
  if (GROUPING.has(text.toLowerCase()) && textAt(tokens, at + 1) === '(') return behind(tokens, at + 1, ')');
  return at + 1;
}

/** Behind `offset 5m` and `@ 1600000000`, in any order. */
function modifiersEnd(tokens: Token[], from: number): number {
  const end = modifierEnd(tokens, from);
  return end === null ? from : modifiersEnd(tokens, end);
}

/** Behind the one modifier that begins here; null where none does. */
function modifierEnd(tokens: Token[], at: number): number | null {
  const text = textAt(tokens, at).toLowerCase();
  if (text !== 'offset' && text !== '@') return null;
  const end = at + (['-', '+'].includes(textAt(tokens, at + 1)) ? 3 : 2);
  return textAt(tokens, end) === '(' ? behind(tokens, end, ')') : end;
}

function behind(tokens: Token[], from: number, closing: string): number {
  const at = tokens.findIndex((token, index) => index >= from && token.text === closing);
  return at === -1 ? tokens.length : at + 1;
}
