import type { CellsClient } from '../../src/client/index.js';
import type { ActRecord } from '../invariants/types.js';

export type { ActRecord } from '../invariants/types.js';

/** Wraps a client so that every act is recorded: what was asked when, and what was answered when. */
export function recordActs(cells: CellsClient, acts: ActRecord[]): CellsClient {
  const record = (target: object, version: string | null, of = ''): object =>
    new Proxy(target, {
      get(self, name) {
        const value = Reflect.get(self, name) as unknown;
        if (typeof value !== 'function') return value;
        const act = of === '' ? String(name) : name === 'start' ? of : `${of}: ${String(name)}`;
        if (name === 'result') return value.bind(self);
        return (...args: unknown[]) => noteCall(acts, act, version, args[0], () => value.apply(self, args));
      },
    });
  return new Proxy(cells, {
    get(self, name) {
      if (name === 'cluster') return () => record(self.cluster(), null);
      if (name === 'rollback') return (version: string) => record(self.rollback(version), version, 'rollback');
      if (name === 'rollout') return (version: string) => record(self.rollout(version), version);
      const value = Reflect.get(self, name) as unknown;
      return typeof value === 'function' ? value.bind(self) : value;
    },
  });
}

function noteCall(
  acts: ActRecord[],
  act: string,
  version: string | null,
  payload: unknown,
  call: () => Promise<unknown>,
): Promise<unknown> {
  if (act === 'topology' || act === 'isEverywhere' || act.endsWith('status')) return call();
  const entry: ActRecord = { act, version, payload, askedAt: Date.now(), answeredAt: null, answer: null };
  acts.push(entry);
  return call().then(
    (answer) => {
      entry.answeredAt = Date.now();
      entry.answer = answer;
      return answer;
    },
    (error: unknown) => {
      entry.answeredAt = Date.now();
      entry.error = error instanceof Error ? error.message : String(error);
      throw error;
    },
  );
}
