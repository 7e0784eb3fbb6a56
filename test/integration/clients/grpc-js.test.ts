import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  type CallOptions,
  type Client,
  credentials,
  Metadata,
  makeClientConstructor,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { readGrpcStatus } from '../../support/grpc-status.ts';
import { kvCalls } from '../../support/kv-calls.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const definitions = loadSync(
  ['concord/kv/v1/kv_service.proto', 'google/rpc/error_details.proto', 'buf/validate/validate.proto'],
  { includeDirs: [PROTO], longs: String, enums: String, bytes: String },
);
const service = definitions['concord.kv.v1.KvService'] as ServiceDefinition;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let client: Client;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  const KvClient = makeClientConstructor(service, 'KvService');
  client = new KvClient(`127.0.0.1:${gateway.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client?.close();
  await gateway?.[Symbol.asyncDispose]();
});

describe('grpc-js with definitions read from proto/ at run time', () => {
  it('makes every unary call', async () => {
    for (const { rpc, request, answer } of kvCalls()) {
      expect(await call(rpc, request).answer, rpc).toMatchObject(answer);
    }
  });

  it('sends a request id with the call, and gets it back in the answer', async () => {
    const metadata = new Metadata();
    metadata.set('x-request-id', 'from-grpc-js');
    const { answer, header } = call('List', { view: 'VIEW_COUNT_ONLY' }, {}, metadata);
    await answer;
    expect((await header).get('x-request-id')).toEqual(['from-grpc-js']);
  });

  it('reads the reason of an error, with what the message names', async () => {
    const key = `clients/${randomUUID()}`;
    const error = await errorOf(call('Get', { key }).answer);
    expect(error).toMatchObject({ code: status.NOT_FOUND, details: expect.stringContaining(key) });
    expect(detailsOf(error)).toMatchObject([
      ['google.rpc.ErrorInfo', { reason: 'KEY_NOT_FOUND', domain: 'concord', metadata: { key } }],
    ]);
  });

  it('reads every rule that a request broke', async () => {
    const error = await errorOf(call('List', { pageSize: 1_001, revision: '-1' }).answer);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(detailsOf(error)).toMatchObject([
      [
        'google.rpc.ErrorInfo',
        { reason: 'FIELD_INVALID', domain: 'concord', metadata: { field: 'page_size' } },
      ],
      ['buf.validate.Violations', { violations: [{ ruleId: 'int32.gte_lte' }, { ruleId: 'int64.gte' }] }],
    ]);
  });

  it('has its deadline kept by the gateway while etcd hangs', async () => {
    gateway.etcd.pause();
    try {
      // Said to the gateway alone: at a deadline of its own the client cancels the call, and may be the first of the two.
      const metadata = requestId('deadline');
      metadata.set('grpc-timeout', '400m');
      const error = await errorOf(call('Get', { key: 'x' }, {}, metadata).answer);
      expect(error.code).toBe(status.DEADLINE_EXCEEDED);
      expect(detailsOf(error)).toMatchObject([['google.rpc.ErrorInfo', { reason: 'DEADLINE_EXCEEDED' }]]);
      await eventually(() => expect(endOf('deadline')).toMatchObject({ reason: 'DEADLINE_EXCEEDED' }));
    } finally {
      gateway.etcd.resume();
    }
  });

  it('cancels a call, which the gateway then gives up', async () => {
    gateway.etcd.pause();
    try {
      const { answer, cancel } = call('Get', { key: 'x' }, {}, requestId('canceled'));
      const failed = errorOf(answer);
      await eventually(async () => expect(await metricsText()).toMatch(/concord_rpc_in_flight\{.*Get"\} 1/));
      cancel();
      expect((await failed).code).toBe(status.CANCELLED);
      await eventually(() => expect(endOf('canceled')).toMatchObject({ reason: 'CALL_CANCELED' }));
    } finally {
      gateway.etcd.resume();
    }
    expect(await call('List', { view: 'VIEW_COUNT_ONLY' }).answer).toHaveProperty('revision');
  });
});

interface Call {
  readonly answer: Promise<object>;
  readonly header: Promise<Metadata>;
  cancel(): void;
}

function call(rpc: string, request: object, options: CallOptions = {}, metadata = new Metadata()): Call {
  const method = service[rpc];
  if (method === undefined) throw new Error(`proto/ has no rpc ${rpc}`);
  const answer = Promise.withResolvers<object>();
  const header = Promise.withResolvers<Metadata>();
  const started = client.makeUnaryRequest<object, object>(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadata,
    options,
    (error, value) => {
      if (value === undefined) answer.reject(error);
      else answer.resolve(value);
    },
  );
  started.on('metadata', header.resolve);
  return { answer: answer.promise, header: header.promise, cancel: () => started.cancel() };
}

async function errorOf(answer: Promise<object>): Promise<ServiceError> {
  const error: unknown = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Error && 'metadata' in error && error.metadata instanceof Metadata) {
    return error as ServiceError;
  }
  throw new Error('the call did not fail', { cause: error });
}

/** The details of an error: each one's type and content, read with the definitions from proto/. */
function detailsOf({ code, details: text, metadata }: ServiceError): [type: string, detail: object][] {
  const [bytes] = metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) throw new Error('the error has no grpc-status-details-bin');
  const { code: sameCode, message, details } = readGrpcStatus(bytes);
  expect({ code: sameCode, message }).toEqual({ code, message: text });
  return details.map(({ typeUrl, value }) => {
    const type = typeUrl.replace('type.googleapis.com/', '');
    const { deserialize } = definitions[type] as MessageTypeDefinition<object, object>;
    return [type, deserialize(Buffer.from(value))];
  });
}

function requestId(id: string): Metadata {
  const metadata = new Metadata();
  metadata.set('x-request-id', id);
  return metadata;
}

/** What the gateway logged of the end of a call. */
function endOf(id: string): unknown {
  return gateway.logLines.find((line) => line['requestId'] === id);
}

async function metricsText(): Promise<string> {
  return (await fetch(`${gateway.url}/metrics`)).text();
}
