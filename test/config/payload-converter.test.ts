import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/common';
import { METADATA_ENCODING_KEY } from '@temporalio/common/lib/converter/types.js';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { describe, expect, inject, it } from 'vitest';
import { payloadConverterPath } from '../../worker/bundle.js';

const { payloadConverter } = createRequire(import.meta.url)(payloadConverterPath) as {
  payloadConverter: PayloadConverter;
};
const bytes = (text: string) => new TextEncoder().encode(text);
const payload = (encoding: string, data: string) => ({
  metadata: { [METADATA_ENCODING_KEY]: bytes(encoding) },
  data: bytes(data),
});

describe('the lenient payload converter', () => {
  it.each([{ ring: 1 }, 'text', 0, null, undefined, [1, [2]]])('reads and writes %j as the default does', (value) => {
    const written = payloadConverter.toPayload(value);
    expect(written).toEqual(defaultPayloadConverter.toPayload(value));
    expect(payloadConverter.fromPayload(written)).toEqual(value);
  });

  it.each<[string, Parameters<PayloadConverter['fromPayload']>[0], string]>([
    ['broken JSON', payload('json/plain', '{"ring":'), 'json/plain'],
    ['an unknown encoding', payload('binary/encrypted', 'x'), 'binary/encrypted'],
    ['protobuf without a type', payload('json/protobuf', '{}'), 'json/protobuf'],
    ['no metadata', { data: bytes('x') }, ''],
    ['nothing at all', null as never, ''],
  ])('hands on %s as an unreadable value instead of throwing', (_, unreadable, encoding) => {
    const value = payloadConverter.fromPayload(unreadable);
    expect(value).toEqual({ __unreadable: true, encoding, problem: expect.stringMatching(/./) });
  });

  it('is what the SDK loads by its path', () => {
    expect(loadDataConverter({ payloadConverterPath }).payloadConverter).toBe(payloadConverter);
  });

  it('keeps a run alive that gets a signal nobody can read', async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    const address = inject('temporalAddress');
    const workflowsPath = join(import.meta.dirname, 'fixtures/last-signal.ts');
    const taskQueue = 'lenient';
    const logger = new DefaultLogger('ERROR');
    const workflowBundle = await bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger });
    const dataConverter = { payloadConverterPath };
    const [connection, native] = await Promise.all([
      Connection.connect({ address }),
      NativeConnection.connect({ address }),
    ]);
    try {
      const worker = await Worker.create({ connection: native, taskQueue, workflowBundle, dataConverter });
      const client = new Client({ connection, dataConverter });
      const result = await worker.runUntil(async () => {
        const handle = await client.workflow.start('LastSignal', { workflowId: 'lenient', taskQueue });
        await connection.workflowService.signalWorkflowExecution({
          namespace: 'default',
          workflowExecution: { workflowId: 'lenient' },
          signalName: 'tell',
          input: { payloads: [payload('json/plain', '{"ring":')] },
        });
        return handle.result();
      });
      expect(result).toMatchObject({ __unreadable: true, encoding: 'json/plain' });
    } finally {
      await native.close();
      await connection.close();
    }
  });
});
