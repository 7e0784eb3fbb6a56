import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  type Client,
  type ClientReadableStream,
  credentials,
  makeClientConstructor,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const LEASE = 'concord.lease.v1.LeaseService';
const LOCK = 'concord.lock.v1.LockService';
const ELECTION = 'concord.election.v1.ElectionService';
const TTL = { seconds: 600 };

const definitions = loadSync(
  ['lease', 'lock', 'election'].map((noun) => `concord/${noun}/v1/${noun}_service.proto`),
  { includeDirs: [PROTO], longs: String, enums: String },
);

let gateway: TestGateway;
let clients: Clients;
let client: Client;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  const AnyClient = makeClientConstructor({}, 'Any');
  client = new AnyClient(`127.0.0.1:${gateway.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client?.close();
  await gateway?.[Symbol.asyncDispose]();
});

/** A message as the definitions read it. */
type Message = Readonly<Record<string, unknown>>;

/** A stream that is open. */
interface OpenStream {
  readonly messages: readonly Message[];
  readonly error: ServiceError | undefined;
  cancel(): void;
}

function openStream(service: string, rpc: string, request: object): OpenStream {
  const method = (definitions[service] as ServiceDefinition)[rpc];
  if (method === undefined) throw new Error(`proto/ has no rpc ${service}/${rpc}`);
  const stream: ClientReadableStream<Message> = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize as (value: object) => Buffer,
    method.responseDeserialize as (bytes: Buffer) => Message,
    request,
  );
  const messages: Message[] = [];
  let failure: ServiceError | undefined;
  stream.on('data', (message: Message) => messages.push(message));
  stream.on('error', (error: ServiceError) => {
    failure = error;
  });
  return {
    messages,
    get error() {
      return failure;
    },
    cancel: () => stream.cancel(),
  };
}

/** Resolves with the first message that has these fields. */
function messageOf(stream: OpenStream, fields: object): Promise<Message> {
  return eventually(() => {
    const found = stream.messages.find((message) =>
      Object.entries(fields).every(([name, value]) => message[name] === value),
    );
    if (found === undefined) throw new Error(`only ${JSON.stringify(stream.messages)} came`);
    return found;
  });
}

function bigintIn(message: Message, field: string): bigint {
  return BigInt(String(message[field]));
}

describe('grpc-js with definitions read from proto/ at run time', () => {
  it('holds a lease until it cancels the stream', async () => {
    const stream = openStream(LEASE, 'Hold', { ttl: TTL });
    await eventually(() => expect(stream.messages).not.toEqual([]));
    const leaseId = bigintIn(stream.messages[0] ?? {}, 'leaseId');
    expect(await clients.leases.get({ leaseId })).toMatchObject({ grantedTtl: { seconds: 600n } });
    stream.cancel();
    await eventually(async () =>
      expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' }),
    );
    expect(stream.error).toMatchObject({ code: status.CANCELLED });
  });

  it('waits for a lock, and holds it until it cancels the stream', async () => {
    const name = randomUUID();
    const { fencingToken: before } = await clients.locks.acquire({ name, ttl: { seconds: 600n } });
    const stream = openStream(LOCK, 'Hold', { name, ttl: TTL });
    await messageOf(stream, { state: 'STATE_QUEUED' });
    await clients.locks.release({ name, fencingToken: before });
    const fencingToken = bigintIn(await messageOf(stream, { state: 'STATE_ACQUIRED' }), 'fencingToken');
    expect(fencingToken).toBeGreaterThan(before);
    expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
    stream.cancel();
    await eventually(async () =>
      expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: false }),
    );
  });

  it('leads an election until it is lost, and observes it', async () => {
    const name = randomUUID();
    const observed = openStream(ELECTION, 'Observe', { name });
    await messageOf(observed, { kind: 'KIND_VACANT' });
    const stream = openStream(ELECTION, 'Campaign', { name, value: 'grpc-js', ttl: TTL });
    const termToken = bigintIn(await messageOf(stream, { state: 'STATE_LEADER' }), 'termToken');
    expect((await clients.elections.leader({ name })).leader).toMatchObject({ value: 'grpc-js', termToken });
    expect(await messageOf(observed, { kind: 'KIND_LEADER' })).toMatchObject({
      leader: { value: 'grpc-js', termToken: String(termToken) },
    });
    await clients.elections.resign({ name, termToken });
    await messageOf(stream, { state: 'STATE_LOST' });
    await eventually(() => expect(observed.messages.at(-1)).toMatchObject({ kind: 'KIND_VACANT' }));
    observed.cancel();
    expect(stream.error).toBeUndefined();
  });
});
