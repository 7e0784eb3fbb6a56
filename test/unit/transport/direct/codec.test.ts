import { create, equals, toBinary, toJsonString } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { createEnvelopeReadableStream } from '@connectrpc/connect/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeyValue, KeyValueSchema } from '../../../../gen/concord/kv/v1/key_value_pb.ts';
import { GetResponseSchema } from '../../../../gen/concord/kv/v1/kv_service_pb.ts';
import { reasonOf } from '../../../../src/rpc/checks/errors.ts';
import { createEncoder, createSharedEncoder, decodeBody } from '../../../../src/transport/direct/codec.ts';
import { envelope, openEnvelope } from '../../../../src/transport/direct/envelope.ts';
import { type Wire, wireOf } from '../../../../src/transport/direct/wire.ts';

const WIRES = [
  'application/json',
  'application/proto',
  'application/grpc',
  'application/grpc-web+json',
  'application/connect+proto',
].map((contentType) => wireOf(contentType) as Wire);
const ENOUGH = 1 << 20;
const kv: KeyValue = create(KeyValueSchema, { key: 'ключ', value: '\u{1f600}', modRevision: 7n });

describe('an envelope', () => {
  it('is what the library reads, and opens to what is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.nat({ max: 255 }), async (data, flags) => {
        const bytes = envelope(flags, data);
        const stream = new ReadableStream({
          start: (controller) => {
            controller.enqueue(new Uint8Array(bytes));
            controller.close();
          },
        });
        const { value } = await createEnvelopeReadableStream(stream).getReader().read();
        expect(value).toEqual({ flags, data });
        const opened = openEnvelope(bytes);
        expect(opened === undefined ? undefined : new Uint8Array(opened)).toEqual(
          flags === 0 ? data : undefined,
        );
      }),
    );
  });

  it('is none where it is cut, lies, or is followed by something', () => {
    const whole = envelope(0, Buffer.from('message'));
    for (let length = 0; length < whole.length; length++)
      expect(openEnvelope(whole.subarray(0, length))).toBeUndefined();
    expect(openEnvelope(Buffer.concat([whole, Buffer.of(0)]))).toBeUndefined();
    expect(openEnvelope(Buffer.concat([whole, whole]))).toBeUndefined();
    expect(openEnvelope(Buffer.of(0, 0xff, 0xff, 0xff, 0xff))).toBeUndefined();
    expect(openEnvelope(envelope(0, Buffer.alloc(0)))).toHaveLength(0);
  });
});

describe('a message', () => {
  it.each(WIRES)('is read as it was written: $contentType', (wire) => {
    const data = createEncoder(ENOUGH)(wire.codec, KeyValueSchema, kv);
    const body = wire.isEnveloped ? envelope(0, data) : Buffer.from(data);
    const read = decodeBody(wire, KeyValueSchema, body);
    expect(read && equals(KeyValueSchema, read as KeyValue, kv)).toBe(true);
    expect(decodeBody(wire, KeyValueSchema, body.subarray(0, -1))).toBeUndefined();
    expect(
      decodeBody(wire, KeyValueSchema, wire.isEnveloped ? Buffer.from(data) : envelope(0, data)),
    ).toBeUndefined();
  });

  it.each(['proto', 'json'] as const)('may be as large as the limit, and no larger: %s', (codec) => {
    const bytes =
      codec === 'proto' ? toBinary(KeyValueSchema, kv) : Buffer.from(toJsonString(KeyValueSchema, kv));
    expect(Buffer.from(createEncoder(bytes.length)(codec, KeyValueSchema, kv))).toEqual(Buffer.from(bytes));
    const tooSmall = createEncoder(bytes.length - 1);
    const encode = createSharedEncoder(tooSmall);
    for (const attempt of [
      () => tooSmall(codec, KeyValueSchema, kv),
      () => encode(codec, KeyValueSchema, kv),
    ]) {
      const error = thrownBy(attempt);
      expect(error).toMatchObject({ code: Code.ResourceExhausted });
      expect(reasonOf(error as never)).toBe('RESPONSE_TOO_LARGE');
    }
  });

  it('is encoded once a codec, however many streams it goes to', () => {
    const encode = createSharedEncoder(createEncoder(ENOUGH));
    const answer = create(GetResponseSchema, { revision: 3n });
    const first = encode('proto', GetResponseSchema, answer);
    expect(encode('proto', GetResponseSchema, answer)).toBe(first);
    expect(encode('json', GetResponseSchema, answer)).toBe(encode('json', GetResponseSchema, answer));
    expect(encode('json', GetResponseSchema, answer)).not.toEqual(first);
    expect(encode('proto', GetResponseSchema, create(GetResponseSchema, answer))).toBe(first);
    expect(encode('proto', GetResponseSchema, create(GetResponseSchema, { revision: 3n }))).not.toBe(first);
  });
});

function thrownBy(attempt: () => unknown): unknown {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  throw new Error('it was encoded');
}
