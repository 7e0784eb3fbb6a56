import { create, type DescMessage, fromBinary, fromJson, type Message, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, StructSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyValueSchema } from '../../../../gen/concord/kv/v1/key_value_pb.ts';
import { GetResponseSchema } from '../../../../gen/concord/kv/v1/kv_service_pb.ts';
import { MessageWriter } from '../../../../src/transport/direct/message-writer.ts';
import { ALL_SERVICES } from '../../../support/all-services.ts';
import { randomJson } from '../../../support/random-messages.ts';

const SCHEMAS = [
  ...new Set(ALL_SERVICES.flatMap(({ methods }) => methods.flatMap(({ input, output }) => [input, output]))),
];

describe('a message', () => {
  const writer = new MessageWriter();

  it.each(SCHEMAS)('is written as the library writes it: %s', (schema) => {
    let compared = 0;
    fc.assert(
      fc.property(randomJson(schema), (json) => {
        const message = messageOf(schema, json);
        if (message === undefined) return;
        compared += 1;
        expect(bytesOf(writer.write(schema, message))).toEqual(bytesOf(toBinary(schema, message)));
      }),
    );
    expect(compared).toBeGreaterThan(0);
  });

  it('keeps what it has of fields that are not known', () => {
    const bytes = Buffer.from([0x08, 7, 0xfa, 0x07, 2, 1, 2]);
    const message = fromBinary(GetResponseSchema, bytes);
    expect(bytesOf(writer.write(GetResponseSchema, message))).toEqual(bytes);
  });

  it('of a type that only the library knows is written by it, also within another', () => {
    const set = create(FileDescriptorSetSchema, { file: [{ name: 'a.proto', syntax: 'proto3' }] });
    expect(writer.write(FileDescriptorSetSchema, set)).toEqual(toBinary(FileDescriptorSetSchema, set));
    const struct = fromJson(StructSchema, { a: [1.5, null, { b: 'c' }] });
    expect(writer.write(StructSchema, struct)).toEqual(toBinary(StructSchema, struct));
  });

  it('that cannot be written fails as with the library, and leaves nothing for the next', () => {
    const wrong = { ...create(GetResponseSchema), revision: 2n ** 64n };
    expect(() => writer.write(GetResponseSchema, wrong)).toThrow(
      'cannot encode field concord.kv.v1.GetResponse.revision',
    );
    const other = { ...create(GetResponseSchema, { revision: 7n }), kv: create(GetResponseSchema) };
    expect(() => writer.write(GetResponseSchema, other as unknown as Message)).toThrow('cannot use field');
    const right = create(GetResponseSchema, { revision: 7n });
    expect(writer.write(GetResponseSchema, right)).toEqual(toBinary(GetResponseSchema, right));
  });

  it('leaves the bytes of the one before as they are, however large', () => {
    const messages = [3, 300, 1_000_000, 30].map((length) =>
      create(KeyValueSchema, { key: 'k', value: 'é'.repeat(length) }),
    );
    const written = messages.map((message) => writer.write(KeyValueSchema, message));
    expect(written.map(bytesOf)).toEqual(
      messages.map((message) => bytesOf(toBinary(KeyValueSchema, message))),
    );
  });
});

/** Undefined where the JSON is not one of the type. */
function messageOf(schema: DescMessage, json: Parameters<typeof fromJson>[1]): Message | undefined {
  try {
    return fromJson(schema, json);
  } catch {
    return undefined;
  }
}

function bytesOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}
