import type { SyntaxNode, Tree } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { AGGREGATIONS, type Aggregation, type Expression, type Matcher, type VectorExpression } from './expression.js';
import { patternOf } from './pattern.js';
import { badData, notAnswered } from './query-error.js';
import { unquote } from './unquote.js';

const MOST_CHARACTERS = 20_000;
const DEEPEST = 50;

/** Reads a query. Throws `QueryError` for a mistake, and for whatever is not answered here. */
export function parseQuery(text: string): Expression {
  if (text.length > MOST_CHARACTERS) throw badData(`parse error: more than ${MOST_CHARACTERS} characters`);
  const tree = parser.parse(text);
  refuseErrors(tree, text);
  const top = children(tree.topNode)[0];
  if (top === undefined) throw badData('parse error: no expression found in input');
  return new Reader(text).expression(top, 0);
}

function refuseErrors(tree: Tree, text: string): void {
  tree.iterate({
    enter: ({ type, from }) => {
      if (!type.isError) return;
      const found = text.slice(from, from + 10) || 'end of input';
      throw badData(`parse error: 1:${from + 1}: unexpected ${JSON.stringify(found)}`);
    },
  });
}

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (child.name !== 'LineComment') found.push(child);
  }
  return found;
}

class Reader {
  constructor(private readonly text: string) {}

  #textOf(node: SyntaxNode): string {
    return this.text.slice(node.from, node.to);
  }

  expression(node: SyntaxNode, depth: number): Expression {
    if (depth > DEEPEST) throw badData(`parse error: nested more than ${DEEPEST} deep`);
    switch (node.name) {
      case 'ParenExpr':
        return this.expression(this.#only(node), depth + 1);
      case 'NumberDurationLiteral':
        return { is: 'number', value: numberOf(this.#textOf(node)) };
      case 'VectorSelector':
        return { is: 'selector', matchers: this.#matchers(node) };
      case 'AggregateExpr':
        return this.#aggregate(node, depth);
      case 'BinaryExpr':
        return this.#or(node, depth);
      case 'FunctionCall':
        return this.#labelReplace(node, depth);
      default:
        throw notAnswered(this.#quoted(node));
    }
  }

  #vector(node: SyntaxNode, depth: number): VectorExpression {
    const read = this.expression(node, depth + 1);
    if (read.is === 'number')
      throw badData(`parse error: expected type instant vector, got scalar ${this.#quoted(node)}`);
    return read;
  }

  #quoted(node: SyntaxNode): string {
    const text = this.#textOf(node);
    return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
  }

  #only(node: SyntaxNode): SyntaxNode {
    const [child, ...others] = children(node);
    if (child === undefined || others.length > 0) throw notAnswered(this.#quoted(node));
    return child;
  }

  #aggregate(node: SyntaxNode, depth: number): Expression {
    const [operator] = node.getChildren('AggregateOp');
    const how = operator ? this.#textOf(operator).toLowerCase() : '';
    const isKnown = (name: string): name is Aggregation => (AGGREGATIONS as readonly string[]).includes(name);
    if (!isKnown(how)) throw notAnswered(`the aggregation ${how}`);
    const [modifier] = node.getChildren('AggregateModifier');
    if (modifier?.getChild('Without')) throw notAnswered('without');
    const [body] = node.getChildren('FunctionCallBody');
    const args = body ? children(body) : [];
    if (args.length !== 1)
      throw badData(`parse error: wrong number of arguments for ${how}: expected 1, got ${args.length}`);
    return {
      is: 'aggregate',
      how,
      by: modifier ? this.#grouping(modifier) : [],
      of: this.#vector(args[0] as SyntaxNode, depth),
    };
  }

  #grouping(modifier: SyntaxNode): string[] {
    const [labels] = modifier.getChildren('GroupingLabels');
    return (labels ? children(labels) : []).map((label) => {
      if (label.name !== 'LabelName') throw notAnswered(`the label ${this.#quoted(label)}`);
      return this.#textOf(label);
    });
  }

  #or(node: SyntaxNode, depth: number): Expression {
    const [left, operator, right, ...more] = children(node);
    // Modifiers such as on() stand between the operator and the right side.
    const isPlain = left && right && more.length === 0 && operator?.name === 'Or';
    if (!isPlain) throw notAnswered(this.#quoted(node));
    return { is: 'or', left: this.#vector(left, depth), right: this.#vector(right, depth) };
  }

  #labelReplace(node: SyntaxNode, depth: number): Expression {
    const [name, body] = children(node);
    if (name === undefined || this.#textOf(name) !== 'label_replace') throw notAnswered(this.#quoted(name ?? node));
    const [of, ...texts] = body ? children(body) : [];
    const isWhole = of && texts.length === 4 && texts.every((text) => text.name === 'StringLiteral');
    if (!isWhole)
      throw badData('parse error: expected label_replace(vector, "target", "replacement", "source", "pattern")');
    const [target = '', template = '', source = '', pattern = ''] = texts.map((text) => unquote(this.#textOf(text)));
    // Prometheus looks at the target alone: no label has a name that is none, so the source is then ''.
    if (!/^[a-zA-Z_]\w*$/.test(target)) throw badData(`invalid label name in label_replace(): ${target}`);
    return { is: 'label-replace', of: this.#vector(of, depth), target, template, source, pattern: patternOf(pattern) };
  }

  #matchers(node: SyntaxNode): Matcher[] {
    const [identifier] = node.getChildren('Identifier');
    const [list] = node.getChildren('LabelMatchers');
    const named = identifier ? [equal('__name__', this.#textOf(identifier))] : [];
    const written = (list ? children(list) : []).map((matcher) => this.#matcher(matcher));
    if (identifier && written.some(({ label }) => label === '__name__')) {
      throw badData('parse error: metric name must not be set twice');
    }
    const matchers = [...named, ...written];
    if (matchers.every((matcher) => matcher.fits(''))) {
      throw badData('parse error: vector selector must contain at least one non-empty matcher');
    }
    return matchers;
  }

  #matcher(node: SyntaxNode): Matcher {
    const [label, operator, literal] = children(node);
    if (node.name !== 'UnquotedLabelMatcher' || !label || !operator || !literal) throw notAnswered(this.#quoted(node));
    const value = unquote(this.#textOf(literal));
    const name = this.#textOf(label);
    switch (this.#textOf(operator)) {
      case '=':
        return equal(name, value);
      case '!=':
        return { label: name, only: null, fits: (text) => text !== value };
      case '=~': {
        const pattern = patternOf(value);
        return { label: name, only: null, fits: (text) => pattern.matches(text) };
      }
      default: {
        const pattern = patternOf(value);
        return { label: name, only: null, fits: (text) => !pattern.matches(text) };
      }
    }
  }
}

const equal = (label: string, value: string): Matcher => ({ label, only: value, fits: (text) => text === value });

/** Numbers that are written alike everywhere: no octal, no digits apart, no durations. */
function numberOf(text: string): number {
  const match = /^([+-]?)(?:(inf|nan)|(0x[\da-f]+)|((?:0|[1-9]\d*)?(?:\.\d+)?(?:e[+-]?\d+)?))$/i.exec(text);
  if (match === null || text === '') throw notAnswered(JSON.stringify(text));
  const [, sign, word, hex, decimal] = match;
  const size = word === undefined ? Number(hex ?? decimal) : word.toLowerCase() === 'inf' ? Infinity : Number.NaN;
  return sign === '-' ? -size : size;
}
