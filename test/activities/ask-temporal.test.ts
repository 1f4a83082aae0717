import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type TemporalClient, whileWanted } from '../../activities/ask-temporal.js';

/** As the SDK's client does: one more listener on the signal with every call, and none is taken away. */
class ListeningClient {
  readonly given: AbortSignal[] = [];

  async withAbortSignal<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    this.given.push(signal);
    return await new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      call().then(resolve, reject);
    });
  }
}

const newClient = () => {
  const client = new ListeningClient();
  return { client: client as unknown as TemporalClient, given: client.given };
};

describe('a call to Temporal under the signal of a watch', () => {
  it('leaves no listener on that signal, however often it is made', async () => {
    const { client } = newClient();
    const { signal } = new AbortController();
    for (let i = 0; i < 50; i += 1) expect(await whileWanted(client, signal, async () => i)).toBe(i);
    await expect(whileWanted(client, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with the watch, for its reason', async () => {
    const { client } = newClient();
    const watch = new AbortController();
    const call = whileWanted(client, watch.signal, () => new Promise<never>(() => undefined));
    watch.abort(new Error('the worker stops'));
    await expect(call).rejects.toThrow('the worker stops');
  });

  it('is not made once the watch has ended', async () => {
    const { client, given } = newClient();
    await expect(whileWanted(client, AbortSignal.abort(new Error('over')), async () => 1)).rejects.toThrow('over');
    expect(given).toEqual([]);
  });
});
