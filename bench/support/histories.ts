import type { Client, WorkflowHandle } from '@temporalio/client';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
export type HistoryEvent = NonNullable<History['events']>[number];

/** What an event can be about, e.g. `activityTaskScheduledEventAttributes`. */
export type About = Extract<keyof HistoryEvent, `${string}Attributes`>;

export interface Run {
  workflowId: string;
  runId: string;
  type: string;
}

/**
 * Runs of these types, newest first, those that continued as new too; `most` bounds them. Visibility lags a little: ask
 * when all has been quiet.
 */
export async function runsOf(
  client: Client,
  types: readonly string[],
  most = Number.POSITIVE_INFINITY,
): Promise<Run[]> {
  const query = types.map((type) => `WorkflowType = '${type}'`).join(' OR ');
  const runs: Run[] = [];
  for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
    runs.push({ workflowId, runId, type });
    if (runs.length >= most) break;
  }
  return runs;
}

/** Of the newest run where none is named. */
export const historyOf = (client: Client, workflowId: string, runId?: string): Promise<History> =>
  client.workflow.getHandle(workflowId, runId).fetchHistory();

/** The newest run under this id with all runs that it was continued from, oldest first. */
export async function chainOf(client: Client, workflowId: string): Promise<History[]> {
  const chain = [await historyOf(client, workflowId)];
  for (;;) {
    const [first] = eventsOf(chain[0] as History);
    const before = first?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
    if (!before) return chain;
    chain.unshift(await historyOf(client, workflowId, before));
  }
}

export const eventsOf = (history: History): HistoryEvent[] => history.events ?? [];

export const isAbout = (event: HistoryEvent, what: About): boolean => event[what] !== null && event[what] !== undefined;

export const about = (history: History, what: About): HistoryEvent[] =>
  eventsOf(history).filter((event) => isAbout(event, what));

/** Epoch ms. */
export function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + Math.floor((eventTime?.nanos ?? 0) / 1e6);
}

/** How many events of each kind, most first. */
export function kindsOf(events: readonly HistoryEvent[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const event of events) {
    const key = Object.keys(event).find((name) => name.endsWith('Attributes') && isAbout(event, name as About)) ?? '?';
    const kind = key.replace(/EventAttributes$/, '');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** Bytes of the largest payload anywhere in these events, as the server weighs it. */
export function largestPayload(value: unknown): number {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 0;
  const own = 'data' in value && value.data instanceof Uint8Array ? payloadBytes(value as Payload) : 0;
  return Math.max(own, ...Object.values(value).map(largestPayload));
}

interface Payload {
  data: Uint8Array;
  metadata?: Record<string, Uint8Array> | null;
}

const payloadBytes = ({ data, metadata }: Payload): number =>
  Object.entries(metadata ?? {}).reduce((bytes, [key, value]) => bytes + key.length + value.length, data.length);

/** Bytes of the history as the server last told its worker. */
export const bytesOf = (history: History): number =>
  Math.max(
    0,
    ...eventsOf(history).map((event) => Number(event.workflowTaskStartedEventAttributes?.historySizeBytes ?? 0)),
  );
