import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { fillTemplate } from '../../../src/domain/health/template.js';

const fill = (query: string, labels: Record<string, string> = {}, id = 'cell-1') => fillTemplate(query, { id, labels });

describe('a query template', () => {
  test.each([
    ['the cell', 'up{cell="{{cell}}"}', {}, 'up{cell="cell-1"}'],
    ['a label', 'up{region="{{label.region}}"}', { region: 'us-east1' }, 'up{region="us-east1"}'],
    ['a label with dots and dashes', 'up{a="{{label.a.b-c}}"}', { 'a.b-c': 'x' }, 'up{a="x"}'],
    ['blanks in the braces', 'up{cell="{{ cell }}"}', {}, 'up{cell="cell-1"}'],
    ['several in one literal', 'up{a="{{cell}}/{{label.x}}"}', { x: 'y' }, 'up{a="cell-1/y"}'],
    ['no placeholder', 'sum(rate(x[5m])) by (a)', {}, 'sum(rate(x[5m])) by (a)'],
    ['PromQL braces in a regular expression', 'up{a=~"x{2}"}', {}, 'up{a=~"x{2}"}'],
    ['a quote in double quotes', 'up{a="{{label.x}}"}', { x: '"} or vector(1)#' }, 'up{a="\\"} or vector(1)#"}'],
    ['a quote in single quotes', "up{a='{{label.x}}'}", { x: `'"` }, `up{a='\\'"'}`],
    ['a backslash', 'up{a="{{label.x}}"}', { x: '\\' }, 'up{a="\\\\"}'],
    ['a line end', 'up{a="{{label.x}}"}', { x: 'a\nb' }, 'up{a="a\\u000ab"}'],
    ['back quotes', 'up{a=`{{label.x}}`}', { x: `\\"'` }, `up{a=\`\\"'\`}`],
    ['a regular expression', 'up{a=~"{{cell}}.*"}', {}, 'up{a=~"cell\\\\-1.*"}'],
    ['a regular expression with blanks before', "up{a !~ '{{label.x}}'}", { x: 'a|b' }, "up{a !~ 'a\\\\|b'}"],
    ['a regular expression in back quotes', 'up{a=~`{{label.x}}`}', { x: '.*' }, 'up{a=~`\\.\\*`}'],
    ['a character class', 'up{a=~"[{{label.x}}]"}', { x: ']^a-z' }, 'up{a=~"[\\\\]\\\\^a\\\\-z]"}'],
    ['dollars, that nothing replaces', 'up{a="{{label.x}}"}', { x: '$&$1' }, 'up{a="$&$1"}'],
    [
      'the arguments of label_replace',
      'label_replace(up{a="x",b="y"}, "{{label.d}}", "{{label.r}}", "a", "{{label.r}}")',
      { d: 'to', r: '$1' },
      'label_replace(up{a="x",b="y"}, "to", "$$1", "a", "\\\\$1")',
    ],
    ['a comment', 'up # the "cell" {{cell}}\n', {}, 'up # the "cell" {{cell}}\n'],
    ['an escaped quote in the template', 'up{a="\\"{{cell}}"}', {}, 'up{a="\\"cell-1"}'],
    ['a hash in a literal', 'up{a="#{{cell}}"}', {}, 'up{a="#cell-1"}'],
  ])('is filled in: %s', (_what, query, labels, expected) => {
    expect(fill(query, labels)).toBe(expected);
  });

  test.each([
    ['an unknown label', 'up{a="{{label.zone}}"}', { region: 'x' }, 'cell cell-1 has no label "zone"; it has: region'],
    ['a label of every object', 'up{a="{{label.constructor}}"}', {}, 'no label "constructor"; it has: none'],
    ['an unknown placeholder', 'up{a="{{ring}}"}', {}, '{{ring}} is not known: there are {{cell}} and {{label.NAME}}'],
    ['a place outside of quotes', 'up_{{cell}}', {}, '{{cell}} stands outside of a string literal: put it in quotes'],
    ['a number outside of quotes', 'up > {{label.x}}', { x: '1' }, 'outside of a string literal'],
    ['a back quote in back quotes', 'up{a=`{{label.x}}`}', { x: '`' }, 'has a back quote'],
    ['a literal that is not closed', 'up{a="{{cell}}', {}, 'opened with " is not closed'],
    ['half an escape', 'up{a="\\{{cell}}"}', {}, 'in the middle of an escape sequence'],
    ['half a hexadecimal escape', 'up{a="\\x2{{cell}}"}', {}, 'in the middle of an escape sequence'],
    ['a backslash before it in a regular expression', 'up{a=~`\\{{cell}}`}', {}, 'quotes what follows'],
    ['a quoted run of a regular expression', 'up{a=~"\\\\Q{{cell}}"}', {}, 'quotes what follows'],
    ['half a character', 'up{a="{{label.x}}"}', { x: '\ud800' }, 'no well-formed text'],
  ])('is refused: %s', (_what, query, labels, message) => {
    const filling = () => fill(query, labels);
    expect(filling).toThrow(RangeError);
    expect(filling).toThrow(message);
  });

  // A reader of Go's literals that shares nothing with the writer above.
  const GO = /^(["'])((?:\\u[0-9a-f]{4}|\\[\\"']|[^\\\n])*)\1$/s;
  const readGo = (literal: string): string => {
    const body = GO.exec(literal)?.[2];
    if (body === undefined) throw new Error(`no literal: ${literal}`);
    return body.replace(/\\u([0-9a-f]{4})|\\(.)/g, (_all, hex, char) =>
      hex === undefined ? char : String.fromCharCode(Number.parseInt(hex, 16)),
    );
  };
  const anyValue = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', "'", '\\', '`', '\n', '{', '}', '{{cell}}', '$', '.', ']', '#', 'a') }),
  );

  it('holds whatever the value: a reader finds exactly it, in exactly one literal', () => {
    fc.assert(
      fc.property(anyValue, fc.constantFrom('"', "'"), (x, quote) => {
        const filled = fill(`${quote}{{label.x}}${quote}`, { x });
        expect(readGo(filled)).toBe(x);
        // Ends where it should: no quote of its kind inside that is not escaped.
        expect(filled.slice(1, -1).replace(/\\./gs, '')).not.toContain(quote);
      }),
    );
  });

  it('holds whatever the value: a regular expression matches exactly it', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (x, other) => {
        const source = readGo(fill('{a=~"{{label.x}}"}', { x }).slice(4, -1));
        const matcher = new RegExp(`^(?:${source})$`, 's');
        expect(matcher.test(x)).toBe(true);
        expect(matcher.test(other)).toBe(other === x);
      }),
    );
  });
});
