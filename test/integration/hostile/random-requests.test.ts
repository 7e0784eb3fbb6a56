import { type DescMessage, type DescMethod, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigService } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { ElectionService } from '../../../gen/concord/election/v1/election_service_pb.ts';
import { KvService } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { LeaseService } from '../../../gen/concord/lease/v1/lease_service_pb.ts';
import { LockService } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { Health } from '../../../gen/grpc/health/v1/health_pb.ts';
import { mutated, randomBinary, randomJson, wildJson } from '../../support/random-messages.ts';
import type { RawRequest } from '../../support/raw-request.ts';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import { type WireError, wireErrorOf } from '../../support/wire-error.ts';
import {
  WIRE_PROTOCOLS,
  type WireProtocol,
  wireRequest,
  wireStreamRequest,
} from '../../support/wire-protocol.ts';

/** Requests that are under way at once. */
const AT_ONCE = 25;
const SHOWN_FAILURES = 5;
const ANY_REQUESTS = 8_000;
const DOOMED_REQUESTS = 2_000;
const TIMEOUT_MS = 600_000;

const SERVICES = [KvService, LeaseService, LockService, ElectionService, DiscoveryService, ConfigService];
const METHODS = [...SERVICES, Health].flatMap(({ methods }): readonly DescMethod[] => methods);
const WRITES = SERVICES.flatMap(({ methods }): readonly DescMethod[] => methods).filter(
  ({ idempotency }) => idempotency !== IdempotencyLevel.NO_SIDE_EFFECTS,
);
/** What a gateway and an etcd that are well do not answer, whatever they are asked. */
const FAULTS = ['Internal', 'Unknown', 'DataLoss', 'Unavailable', 'Canceled'];

describe('requests at random', () => {
  it(`are answered or refused, clearly: ${ANY_REQUESTS} of them`, { timeout: TIMEOUT_MS }, async () => {
    await using target = await startRawTarget();
    await forEach(anyRequest(), ANY_REQUESTS, async (sent) => {
      const error = await answerTo(target, sent);
      if (error !== undefined && FAULTS.includes(error.code))
        throw new Error(`${error.code}: ${error.message}`);
    });
    await target.state();
  });

  it(`write nothing where they cannot succeed: ${DOOMED_REQUESTS} of them`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using target = await startRawTarget();
    const before = await target.state();
    await forEach(doomedRequest(), DOOMED_REQUESTS, async (sent) => {
      const error = await answerTo(target, sent);
      if (error === undefined) throw new Error('it was taken');
      // On a machine that stands still the deadline may be over before the call is looked at.
      if (!['InvalidArgument', 'Unimplemented', 'DeadlineExceeded'].includes(error.code))
        throw new Error(`${error.code}: ${error.message}`);
    });
    expect(await target.state()).toEqual(before);
  });
});

/** One request, and where it goes. */
interface SentRequest {
  readonly protocol: WireProtocol;
  readonly request: RawRequest;
}

async function answerTo(
  target: RawTarget,
  { protocol, request }: SentRequest,
): Promise<WireError | undefined> {
  return wireErrorOf(await target.send(protocol.httpVersion, request));
}

/** Checks `count` requests, some at once. What fails is told in full, so that it can be sent again. */
async function forEach(
  requests: fc.Arbitrary<SentRequest>,
  count: number,
  check: (sent: SentRequest) => Promise<void>,
): Promise<void> {
  const waiting = fc.sample(requests, count).values();
  const failures: string[] = [];
  const work = async (): Promise<void> => {
    for (const sent of waiting)
      await check(sent).catch((error) => failures.push(`${error} after ${tell(sent)}`));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(failures.slice(0, SHOWN_FAILURES), `${failures.length} of ${count} failed`).toEqual([]);
}

function tell({ protocol, request }: SentRequest): string {
  const headers = JSON.stringify(request.headers);
  return `${protocol.name} ${request.path} ${headers} ${Buffer.from(request.body).toString('hex').slice(0, 4_000)}`;
}

function anyRequest(): fc.Arbitrary<SentRequest> {
  return fc
    .record({ protocol: fc.constantFrom(...WIRE_PROTOCOLS), method: fc.constantFrom(...METHODS) })
    .chain(({ protocol, method }) =>
      fc
        .record({ message: anyMessage(method.input, protocol), headers: anyHeaders() })
        .map(({ message, headers }) => ({
          protocol,
          request: requestOf(protocol, method, message, headers),
        })),
    );
}

function anyMessage(desc: DescMessage, { codec }: WireProtocol): fc.Arbitrary<Uint8Array> {
  const made = codec === 'json' ? randomJson(desc).map(jsonBytes) : randomBinary(desc);
  const wild = codec === 'json' ? wildJson(desc).map(jsonBytes) : fc.uint8Array({ maxLength: 100 });
  return fc.oneof(
    { weight: 4, arbitrary: made },
    { weight: 4, arbitrary: made.chain(mutated) },
    { weight: 2, arbitrary: wild },
  );
}

function anyHeaders(): fc.Arbitrary<Record<string, string>> {
  const wild = fc.constantFrom<Record<string, string>>(
    { 'content-encoding': 'gzip', 'grpc-encoding': 'gzip' },
    { 'content-encoding': 'br', 'grpc-encoding': 'br' },
    { 'connect-timeout-ms': '-1', 'grpc-timeout': '1' },
    { 'connect-timeout-ms': '99999999999', 'grpc-timeout': '99999999H' },
    { 'content-type': 'application/json' },
    { 'content-type': 'application/grpc-web+proto' },
    { 'content-type': 'text/html' },
    { 'accept-encoding': 'gzip', 'connect-protocol-version': '7', 'x-request-id': 'ä' },
  );
  return fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: wild });
}

/** Unary rpcs that wait: for a lock that another one has, for instances, for subscribers. */
const WAITING: readonly DescMethod[] = [
  LockService.method.acquire,
  DiscoveryService.method.waitFor,
  ConfigService.method.publish,
];
/** What waits, as a stream does, ends by its deadline. */
const WAITING_HEADERS = { 'connect-timeout-ms': '40', 'grpc-timeout': '40m' };

function requestOf(
  protocol: WireProtocol,
  method: DescMethod,
  message: Uint8Array,
  headers: Readonly<Record<string, string>>,
): RawRequest {
  const path = `/${method.parent.typeName}/${method.name}`;
  if (method.methodKind !== 'unary') return wireStreamRequest(protocol, path, message, WAITING_HEADERS);
  const isWaiting = WAITING.includes(method);
  return wireRequest(protocol, path, message, isWaiting ? { ...headers, ...WAITING_HEADERS } : headers);
}

/** Writes that are sound but for one thing which nothing can make up for. */
function doomedRequest(): fc.Arbitrary<SentRequest> {
  return fc
    .record({ protocol: fc.constantFrom(...WIRE_PROTOCOLS), method: fc.constantFrom(...WRITES) })
    .chain(({ protocol, method }) =>
      fc
        .record({
          json: randomJson(method.input),
          flaw: fc.constantFrom(...flawsOf(method)),
        })
        .map(({ json, flaw }) => {
          const sound = encode(flaw === 'rule' ? { ...json, ...brokenRule(method) } : json, method, protocol);
          const message = flaw === 'end' ? Buffer.concat([sound, brokenEnd(protocol)]) : sound;
          return { protocol, request: requestOf(protocol, method, message, flawedHeaders(flaw)) };
        }),
    );
}

/** What waits has headers of its own. */
function flawsOf(method: DescMethod): readonly string[] {
  const isWaiting = method.methodKind !== 'unary' || WAITING.includes(method);
  return ['end', 'rule', ...(isWaiting ? [] : ['timeout', 'compression'])];
}

/** Fields that no request of an rpc may have. */
function brokenRule({ input }: DescMethod): JsonObject {
  const names = input.fields.map(({ name }) => name);
  if (names.includes('fence')) return { fence: { lock: 'l', token: '0' } };
  if (names.includes('name')) return { name: 'a\nb' };
  if (names.includes('service')) return { service: 'a/b' };
  if (names.includes('application')) return { application: 'a/b' };
  return names.includes('instance') ? { instance: { service: 'a/b' } } : { leaseId: '-1' };
}

function encode(json: JsonObject, { input }: DescMethod, { codec }: WireProtocol): Uint8Array {
  return codec === 'json' ? jsonBytes(json) : toBinary(input, fromJson(input, json));
}

/** A bracket too many, or a field, which no message has, that is longer than what is left. */
function brokenEnd({ codec }: WireProtocol): Uint8Array {
  return codec === 'json' ? Buffer.from('}') : Uint8Array.of(0x82, 0x7d, 0x7f);
}

function flawedHeaders(flaw: string): Record<string, string> {
  switch (flaw) {
    case 'timeout':
      return { 'connect-timeout-ms': 'soon', 'grpc-timeout': 'soon' };
    case 'compression':
      return { 'content-encoding': 'x', 'grpc-encoding': 'x' };
    default:
      return {};
  }
}

function jsonBytes(json: unknown): Buffer {
  return Buffer.from(JSON.stringify(json));
}
