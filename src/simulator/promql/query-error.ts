/** A query that is not answered, as Prometheus' API says so: `bad_data` is 400, `execution` 422. */
export class QueryError extends Error {
  constructor(
    readonly type: 'bad_data' | 'execution',
    message: string,
  ) {
    super(message);
    this.name = 'QueryError';
  }
}

export const badData = (message: string): QueryError => new QueryError('bad_data', message);

const KNOWN =
  'the simulator answers selectors, min, max, avg, sum and count with or without by(), or, label_replace() and numbers';

/** For what Prometheus would answer and we do not: better no value than a wrong one. */
export const notAnswered = (what: string): QueryError => badData(`${what} is not answered here: ${KNOWN}`);
