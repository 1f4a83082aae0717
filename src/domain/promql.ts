/**
 * As much of PromQL as it takes to find where a query reads single samples. Prometheus answers such a read with the
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
  let at = from;
  for (;;) {
    const text = textAt(tokens, at).toLowerCase();
    if (text !== 'offset' && text !== '@') return at;
    at += ['-', '+'].includes(textAt(tokens, at + 1)) ? 3 : 2;
    if (textAt(tokens, at) === '(') at = behind(tokens, at, ')');
  }
}

function behind(tokens: Token[], from: number, closing: string): number {
  const at = tokens.findIndex((token, index) => index >= from && token.text === closing);
  return at === -1 ? tokens.length : at + 1;
}
