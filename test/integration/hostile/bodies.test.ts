import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BatchPutRequestSchema, PutRequestSchema } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import type { StoreState } from '../../support/store-state.ts';
import {
  envelope,
  kvPath,
  WIRE_PROTOCOLS,
  type WireProtocol,
  wireProtocols,
  wireRequest,
} from '../../support/wire-protocol.ts';

const MIB = 1 << 20;
const MALFORMED = { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' };
const NOT_SUPPORTED = { code: 'Unimplemented', reason: 'NOT_SUPPORTED' };
const TOO_LARGE = { code: 'ResourceExhausted', reason: 'REQUEST_TOO_LARGE' };
const LIMIT = { ...TOO_LARGE, metadata: { limit_bytes: String(2 * MIB) } };

const CONNECT = wireProtocols({ kind: 'connect' });
const ENVELOPED = WIRE_PROTOCOLS.filter(({ kind }) => kind !== 'connect');
const WRITE = { json: Buffer.from('{"key":"a"}'), proto: Buffer.of(0x0a, 1, 0x61) };

let target: RawTarget;
let before: StoreState;

beforeAll(async () => {
  target = await startRawTarget();
});

beforeEach(async () => {
  before = await target.state();
});

afterEach(async () => {
  expect(await target.state()).toEqual(before);
});

afterAll(async () => {
  await target?.[Symbol.asyncDispose]();
});

/** Sends a body as it is to Put in each of the protocols, and expects the same refusal from each. */
async function expectRefusal(
  protocols: readonly WireProtocol[],
  bodyOf: (protocol: WireProtocol) => Uint8Array,
  refusal: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (const protocol of protocols) {
    const request = { ...wireRequest(protocol, kvPath('Put'), '', headers), body: bodyOf(protocol) };
    expect(await target.refusal(protocol.httpVersion, request), protocol.name).toMatchObject(refusal);
  }
}

type Lie = readonly [what: string, body: (message: Buffer) => Uint8Array, refusal: object];

const ENVELOPES: readonly Lie[] = [
  ['more bytes than there are', (message) => envelope(message, { length: 1_000 }), MALFORMED],
  ['fewer bytes than there are', (message) => envelope(message, { length: message.length - 1 }), MALFORMED],
  ['4 GiB', (message) => envelope(message, { length: 0xffff_ffff }), LIMIT],
  ['3 MiB, and is', () => envelope(Buffer.alloc(3 * MIB)), LIMIT],
  ['compressed bytes, with no word of how', (message) => envelope(message, { flags: 1 }), MALFORMED],
];

const BODIES: readonly Lie[] = [
  ['half the head of an envelope', () => Buffer.alloc(3), MALFORMED],
  ['no envelope', () => Buffer.alloc(0), NOT_SUPPORTED],
  [
    'two messages where the rpc takes one',
    (message) => Buffer.concat([envelope(message), envelope(message)]),
    NOT_SUPPORTED,
  ],
];

describe('an envelope', () => {
  it.each(ENVELOPES)('is refused where it announces %s', async (_, bodyOf, refusal) => {
    await expectRefusal(ENVELOPED, ({ codec }) => bodyOf(WRITE[codec]), refusal);
  });

  it.each(BODIES)('is refused where the body is %s', async (_, bodyOf, refusal) => {
    await expectRefusal(ENVELOPED, ({ codec }) => bodyOf(WRITE[codec]), refusal);
  });
});

describe('a body that is too large', () => {
  const large = {
    json: Buffer.from(JSON.stringify({ key: 'x'.repeat(3 * MIB) })),
    proto: Buffer.alloc(3 * MIB),
  };

  it.each([
    ['of a known length', true],
    ['in chunks', false],
  ])('is refused with the limit: %s', async (_, isLengthKnown) => {
    for (const protocol of CONNECT) {
      const body = large[protocol.codec];
      const headers = isLengthKnown ? { 'content-length': String(body.length) } : {};
      await expectRefusal([protocol], () => body, LIMIT, headers);
    }
  });

  it('is refused without reading it all, where it announces 3 GiB', async () => {
    for (const protocol of CONNECT.filter(({ httpVersion }) => httpVersion === '1.1')) {
      const request = wireRequest(protocol, kvPath('Put'), WRITE[protocol.codec], {
        'content-length': String((3 << 30) >>> 0),
      });
      expect(await target.refusal('1.1', request), protocol.name).toMatchObject(LIMIT);
    }
  });

  it('is refused where only its values are', async () => {
    const put = create(PutRequestSchema, { key: 'a', value: 'x'.repeat(MIB + 1) });
    const batch = create(BatchPutRequestSchema, {
      entries: ['a', 'b'].map((key) => ({ key, value: 'x'.repeat(900_000) })),
    });
    for (const protocol of wireProtocols({ codec: 'proto' })) {
      expect(await target.kvRefusal(protocol, 'Put', toBinary(PutRequestSchema, put))).toMatchObject({
        reason: 'FIELD_INVALID',
        metadata: { field: 'value' },
      });
      // Less than the gateway takes, and more than etcd does.
      expect(
        await target.kvRefusal(protocol, 'BatchPut', toBinary(BatchPutRequestSchema, batch)),
      ).toMatchObject(TOO_LARGE);
    }
  });
});

/** What a compressed message is, and how it is refused. */
const COMPRESSED: readonly Lie[] = [
  ['no gzip', (message) => message, MALFORMED],
  ['half of it', (message) => gzipSync(message).subarray(0, 14), MALFORMED],
  [
    'a wrong checksum',
    (message) => Buffer.concat([gzipSync(message).subarray(0, -8), Buffer.alloc(8)]),
    MALFORMED,
  ],
  ['20 MiB in 20 KiB', () => gzipSync(Buffer.alloc(20 * MIB, ' ')), LIMIT],
  ['gzip in gzip', (message) => gzipSync(gzipSync(message)), MALFORMED],
];

describe('a gzip message', () => {
  it.each(COMPRESSED)('is refused where it is %s', async (_, bodyOf, refusal) => {
    const compressed = ({ codec }: WireProtocol) => bodyOf(WRITE[codec]);
    await expectRefusal(CONNECT, compressed, refusal, { 'content-encoding': 'gzip' });
    await expectRefusal(ENVELOPED, (protocol) => envelope(compressed(protocol), { flags: 1 }), refusal, {
      'grpc-encoding': 'gzip',
    });
  });
});

describe('a compression that is not served', () => {
  it.each(['br', 'zstd', 'deflate', 'gzip, gzip', 'x'])('is refused: %s', async (name) => {
    const refusal = { ...NOT_SUPPORTED, message: expect.stringContaining(name) };
    await expectRefusal(CONNECT, ({ codec }) => WRITE[codec], refusal, { 'content-encoding': name });
    await expectRefusal(ENVELOPED, ({ codec }) => envelope(WRITE[codec], { flags: 1 }), refusal, {
      'grpc-encoding': name,
    });
  });
});
