import type { Pattern } from './pattern.js';

export const AGGREGATIONS = ['min', 'max', 'avg', 'sum', 'count'] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

/** Whether a label's value fits; a label that is not there is ''. */
export interface Matcher {
  label: string;
  /** The one value that fits, where there is only one. */
  only: string | null;
  fits(value: string): boolean;
}

export interface LabelReplace {
  is: 'label-replace';
  of: VectorExpression;
  target: string;
  template: string;
  source: string;
  pattern: Pattern;
}

/** What a query can be made of here. */
export type VectorExpression =
  | { is: 'selector'; matchers: Matcher[] }
  | { is: 'aggregate'; by: string[]; how: Aggregation; of: VectorExpression }
  | { is: 'or'; left: VectorExpression; right: VectorExpression }
  | LabelReplace;

export type Expression = VectorExpression | { is: 'number'; value: number };
