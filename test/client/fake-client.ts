import type { Client } from '@temporalio/client';
import { CellsClient } from '../../src/client/index.js';

export interface Call {
  kind: 'signal' | 'update' | 'update-with-start' | 'query' | 'result';
  workflowId: string;
  name?: string;
  payload?: unknown;
  updateId?: string | undefined;
  start?: unknown;
}

export interface Answers {
  signal?: () => unknown;
  update?: () => unknown;
  query?: () => unknown;
  result?: () => unknown;
  /** How `describe` finds the run. */
  status?: string;
}

interface WithStart {
  args: [unknown];
  updateId?: string;
  startWorkflowOperation: { workflowTypeOrFunc: unknown; options: { workflowId: string } };
}

/** A client that keeps every call, in order, and answers as it is told. */
export function fakeClient(answers: Answers = {}): { cells: CellsClient; calls: Call[] } {
  const calls: Call[] = [];
  const updateHandle = (workflowId: string, updateId = 'made-up') => ({
    workflowId,
    updateId,
    result: async () => answers.update?.(),
  });
  const getHandle = (workflowId: string) => ({
    signal: async (name: string, payload: unknown) => {
      calls.push({ kind: 'signal', workflowId, name, payload });
      answers.signal?.();
    },
    startUpdate: async (name: string, { args, updateId }: { args: [unknown]; updateId?: string }) => {
      calls.push({ kind: 'update', workflowId, name, payload: args[0], updateId });
      return updateHandle(workflowId, updateId);
    },
    describe: async () => ({ status: { name: answers.status ?? 'RUNNING' } }),
    query: async (name: string) => {
      calls.push({ kind: 'query', workflowId, name });
      return answers.query?.();
    },
    result: async () => {
      calls.push({ kind: 'result', workflowId });
      return answers.result?.();
    },
  });
  const startUpdateWithStart = async (name: string, { args, updateId, startWorkflowOperation }: WithStart) => {
    const { workflowTypeOrFunc: type, options } = startWorkflowOperation;
    const { workflowId } = options;
    calls.push({
      kind: 'update-with-start',
      workflowId,
      name,
      payload: args[0],
      updateId,
      start: { type, ...options },
    });
    return updateHandle(workflowId, updateId);
  };
  const client = {
    withDeadline: (_deadline: number, call: () => unknown) => call(),
    workflow: { getHandle, startUpdateWithStart },
  };
  const cells = new CellsClient({ client: client as unknown as Client, taskQueue: 'cells', limits: { answerMs: 50 } });
  return { cells, calls };
}
