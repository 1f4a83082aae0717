import { badData } from './query-error.js';

const SIMPLE: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|(.))/gsu;
/** Above it a byte of its own is half a character, which no label of ours has. */
const LAST_ASCII = 0x7f;
const LAST_CODE_POINT = 0x10ffff;

/** The text of a PromQL string literal: in back quotes as it stands, otherwise with the escapes of Go. */
export function unquote(literal: string): string {
  const quote = literal[0] ?? '';
  const body = literal.slice(1, -1);
  if (literal.length < 2 || !literal.endsWith(quote)) throw badData(`parse error: unterminated string ${literal}`);
  if (quote === '`') return body;
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(body)) throw badData(`parse error: unterminated string ${literal}`);
  return body.replace(ESCAPE, (written, x, u, U, octal, simple) => {
    if (simple !== undefined) return simpleEscape(simple as string, quote, written);
    if (octal !== undefined) return byteEscape(Number.parseInt(octal, 8), written);
    if (x !== undefined) return byteEscape(Number.parseInt(x, 16), written);
    return codePoint(Number.parseInt(u ?? U, 16), written);
  });
}

function simpleEscape(character: string, quote: string, written: string): string {
  if (character === quote) return quote;
  const meant = SIMPLE[character];
  if (meant === undefined) throw badData(`parse error: unknown escape sequence ${written}`);
  return meant;
}

function byteEscape(byte: number, written: string): string {
  if (byte > LAST_ASCII) throw badData(`parse error: the escape sequence ${written} is not answered here`);
  return String.fromCharCode(byte);
}

function codePoint(code: number, written: string): string {
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  if (code > LAST_CODE_POINT || isSurrogate) throw badData(`parse error: invalid escape sequence ${written}`);
  return String.fromCodePoint(code);
}
