import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { closedRun } from '../../src/contract/closed-run.js';
import { AHEAD_OF_ITS_TASK } from '../../src/contract/failures.js';
import { interceptors } from '../../workflows/interceptors.js';

type Activate = NonNullable<NonNullable<ReturnType<typeof interceptors>['internals']>[number]['activate']>;
type Activation = Parameters<Activate>[0]['activation'];

/** One run in a worker's cache: what it is given, in order, and what of that its workflow comes to see. */
function cachedRun() {
  const seen: string[] = [];
  const activate = interceptors().internals?.[0]?.activate as Activate;
  const give = (what: string, activation: object) =>
    activate({ activation: activation as Activation, batchIndex: 0 }, () => void seen.push(what));
  return {
    seen,
    /** A workflow task that began at this second, with the history as long as this. */
    task: (what: string, second: number, length: number, more: object = {}) =>
      give(what, {
        timestamp: { seconds: second, nanos: 0 },
        historyLength: length,
        historySizeBytes: 100 * length,
        jobs: [{ signalWorkflow: {} }],
        ...more,
      }),
    query: (what: string, ...args: unknown[]) =>
      give(what, {
        jobs: [
          { queryWorkflow: { queryType: 'status', arguments: args.map((a) => defaultPayloadConverter.toPayload(a)) } },
        ],
      }),
  };
}

describe('a run', () => {
  it('sees every task, and is asked between them', () => {
    const { seen, task, query } = cachedRun();
    task('start', 1, 3);
    query('asked');
    task('second', 2, 9);
    query('asked again');
    expect(seen).toEqual(['start', 'asked', 'second', 'asked again']);
  });

  it('sees a task whose start a clock that went back makes the same as that of the one before', () => {
    const { seen, task } = cachedRun();
    task('start', 1, 3);
    task('second', 1, 9);
    expect(seen).toEqual(['start', 'second']);
  });

  it('sees all parts of one task, and what it did itself meanwhile', () => {
    const { seen, task } = cachedRun();
    task('signals', 1, 3);
    task('the rest', 1, 3);
    task('a local activity ended', 1, 3);
    expect(seen).toHaveLength(3);
  });

  it('sees everything when it is replayed', () => {
    const { seen, task } = cachedRun();
    const ofTheSameStart = { historySizeBytes: 300, isReplaying: true };
    task('start', 1, 3, ofTheSameStart);
    task('what followed', 1, 5, ofTheSameStart);
    expect(seen).toHaveLength(2);
  });
});

describe('events that no task has brought', () => {
  const ahead = () => {
    const run = cachedRun();
    run.task('start', 1, 3);
    for (const part of ['signals', 'the rest']) run.task(part, 1, 6, { historySizeBytes: 300 });
    return run;
  };

  it('are left alone; the query that brought them is refused, which drops the run', () => {
    const { seen, query } = ahead();
    expect(() => query('asked')).toThrow(AHEAD_OF_ITS_TASK);
    expect(() => query('asked', { version: 'V1' })).toThrow(AHEAD_OF_ITS_TASK);
    expect(seen).toEqual(['start']);
  });

  it('are left out of the answer where the run is over, and this is its whole history', () => {
    const { seen, query } = ahead();
    expect(() => query('too short', closedRun(5))).toThrow(AHEAD_OF_ITS_TASK);
    query('asked', closedRun(6));
    query('of a package', { version: 'V1' }, closedRun(6));
    expect(seen).toEqual(['start', 'asked', 'of a package']);
  });

  it('are lost to nobody: a task that follows is refused, and replayed', () => {
    const { seen, task } = ahead();
    expect(() => task('next', 2, 9)).toThrow(AHEAD_OF_ITS_TASK);
    expect(seen).toEqual(['start']);
  });
});
