import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BatchPutRequestSchema, PutRequestSchema } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import type { Encoding } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import type { StoreState } from '../../support/store-state.ts';
import { wireErrorOf } from '../../support/wire-error.ts';
import { kvPath, wireProtocols, wireRequest } from '../../support/wire-protocol.ts';

const BINARY_PROTOCOLS = wireProtocols({ codec: 'proto' });
const LEVELS = 10_000;
const MALFORMED = { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' };
const INVALID = { code: 'InvalidArgument', reason: 'FIELD_INVALID' };

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

/** Sends a message in every protocol, and expects the same refusal from each. */
async function expectRefusal(rpc: string, message: Uint8Array, refusal: object): Promise<void> {
  for (const protocol of BINARY_PROTOCOLS) {
    expect(await target.kvRefusal(protocol, rpc, message), protocol.name).toMatchObject(refusal);
  }
}

/** `key: "a"`, the first field of most requests. */
const KEY = [0x0a, 1, 0x61] as const;

const NO_PROTOBUF: readonly (readonly [what: string, message: readonly number[]])[] = [
  ['a length without what it counts', [0x0a]],
  ['a string that ends early', [0x0a, 5, 0x61]],
  ['a string of 4 GiB that ends early', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x61]],
  ['a length below 0', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x61]],
  ['a varint without end', [...KEY, 0x18, 0xff, 0xff]],
  ['a varint of 11 bytes', [...KEY, 0x18, ...Array<number>(11).fill(0xff), 1]],
  ['a field with the number 0', [...KEY, 0x02, 0]],
  ['a field of wire type 6', [...KEY, 0x1e, 1]],
  ['a field of wire type 7', [...KEY, 0x1f, 1]],
  ['a group that does not end', [...KEY, 0x7b]],
  ['the end of a group that did not begin', [...KEY, 0x7c]],
  ['50,000 groups in each other', [...KEY, ...Array<number>(50_000).fill(0x7b)]],
  ['a fixed64 that ends early', [...KEY, 0x79, 1, 2, 3]],
  ['a fixed32 that ends early', [...KEY, 0x7d, 1]],
  ['text that is no UTF-8', [0x0a, 2, 0xff, 0xfe]],
  ['text with half a surrogate pair', [0x0a, 3, 0xed, 0xa0, 0x80]],
  ['text in overlong UTF-8', [0x0a, 2, 0xc0, 0xaf]],
  ['JSON', [...Buffer.from('{"key":"a"}')]],
];

const DURATIONS: readonly (readonly [what: string, seconds: bigint, nanos: number])[] = [
  ['below 0', -5n, 0],
  ['of 0', 0n, 0],
  ['of the greatest int64', 2n ** 63n - 1n, 0],
  ['of the least int64', -(2n ** 63n), 0],
  ['whose parts have different signs', 5n, -1],
  ['whose nanos take more from it than it has', 1n, -2_000_000_000],
  ['whose nanos are more than a second', 0n, 2_000_000_000],
];

describe('a message in protobuf', () => {
  it.each(NO_PROTOBUF)('is refused where it holds %s', async (_, message) => {
    await expectRefusal('Get', Uint8Array.from(message), MALFORMED);
  });

  it('is refused, or another message, wherever it is cut', async () => {
    const whole = toBinary(
      PutRequestSchema,
      create(PutRequestSchema, { valueBytes: Buffer.from('value'), leaseId: 77n }),
    );
    const reasons = await Promise.all(
      BINARY_PROTOCOLS.flatMap((protocol) =>
        Array.from({ length: whole.length }, (_, end) =>
          target.kvRefusal(protocol, 'Put', whole.subarray(0, end)),
        ),
      ),
    );
    // None names a key: what can be decoded breaks a rule.
    for (const { reason } of reasons) expect(['REQUEST_MALFORMED', 'FIELD_INVALID']).toContain(reason);
    expect(reasons.filter(({ reason }) => reason === 'REQUEST_MALFORMED').length).toBeGreaterThan(0);
  });

  it('is refused where an inner length goes beyond the outer one', async () => {
    const message = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .bytes(Uint8Array.of(0x0a, 9, 0x61))
      .finish();
    await expectRefusal('BatchPut', message, MALFORMED);
  });

  it('is refused where transactions are nested 10,000 deep', async () => {
    // From the inside out, only what stands before each message: to copy them all would block the gateway, which is in this process.
    const heads: Uint8Array[] = [];
    let size = 0;
    for (let level = 0; level < LEVELS; level++) {
      for (const field of [4, 2]) {
        const head = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(size).finish();
        heads.push(head);
        size += head.length;
      }
    }
    await expectRefusal('Txn', Buffer.concat(heads.reverse()), { code: 'InvalidArgument' });
  });

  it('is refused where an enum has a number without a name', async () => {
    for (const encoding of [3, 99, 2 ** 31 - 1, -1]) {
      const message = toBinary(
        PutRequestSchema,
        create(PutRequestSchema, { key: 'a', encoding: encoding as Encoding }),
      );
      await expectRefusal('Put', message, { ...INVALID, metadata: { field: 'encoding' } });
    }
  });

  it('is refused where both text and bytes are set, for key and value alike', async () => {
    for (const both of [
      { key: 'a', keyBytes: Uint8Array.of(1) },
      { key: 'a', value: 'b', valueBytes: Uint8Array.of(1) },
    ]) {
      await expectRefusal('Put', toBinary(PutRequestSchema, create(PutRequestSchema, both)), INVALID);
      const entries = create(BatchPutRequestSchema, { entries: [{ key: 'ok' }, both] });
      await expectRefusal('BatchPut', toBinary(BatchPutRequestSchema, entries), {
        ...INVALID,
        metadata: { field: 'entries[1]' },
      });
    }
  });

  it.each(DURATIONS)('is refused where it has a ttl %s', async (_, seconds, nanos) => {
    const put = create(PutRequestSchema, { key: 'a', ttl: { seconds, nanos } });
    await expectRefusal('Put', toBinary(PutRequestSchema, put), { ...INVALID, metadata: { field: 'ttl' } });
    const batch = create(BatchPutRequestSchema, { entries: [{ key: 'a' }], ttl: { seconds, nanos } });
    await expectRefusal('BatchPut', toBinary(BatchPutRequestSchema, batch), {
      ...INVALID,
      metadata: { field: 'ttl' },
    });
  });

  it('is taken with fields that this version does not know, as a newer client sends them', async () => {
    const message = new BinaryWriter()
      .raw(Uint8Array.of(0x0a, 1, 0x62))
      .tag(2_000, WireType.Varint)
      .uint32(7)
      .finish();
    for (const protocol of BINARY_PROTOCOLS) {
      const answer = await target.send(protocol.httpVersion, wireRequest(protocol, kvPath('Get'), message));
      expect(wireErrorOf(answer), protocol.name).toMatchObject({ reason: 'KEY_NOT_FOUND' });
    }
  });
});
