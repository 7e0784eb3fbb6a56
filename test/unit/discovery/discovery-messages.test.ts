import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InstanceSchema } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { instanceValue, isInstance, readInstance } from '../../../src/domain/discovery/instance.ts';
import { instanceMessage, invalidMessages } from '../../../src/rpc/discovery/discovery-messages.ts';

const NAMES = 'host port metadata tags version zone weight status registerTime liveness __proto__'.split(' ');
const TEXTS = [
  'UP',
  'MANAGED',
  '2030-01-01T00:00:00Z',
  '+275760-09-13T00:00:00Z',
  '\ud800',
  '\udfff x',
  '8080',
];

/** JSON in which the names that are known stand for anything, and texts may be halves of characters. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...TEXTS),
    fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
    fc.constantFrom(0, 1, 80, 65_535, 65_536, -1, 0.5, 1e300, null, true, false),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), tie('any'), { maxKeys: 3 }),
  ),
})).any;
const written = fc
  .record({ members: fc.dictionary(fc.constantFrom(...NAMES, 'x', '\ud800'), value), isPlaced: fc.boolean() })
  .map(({ members, isPlaced }) => JSON.stringify(isPlaced ? { ...members, host: 'h', port: 80 } : members));

function keyValue(bytes: Uint8Array) {
  const numbers = { createRevision: 1n, modRevision: 2n, version: 1n, leaseId: 0n };
  return { key: Buffer.from('/services/s/a'), value: bytes, ...numbers };
}

describe('whatever another client wrote', () => {
  it('can be sent, and is the same after it is written again', () => {
    fc.assert(
      fc.property(written, (json) => {
        const read = readInstance('s', 'a', keyValue(Buffer.from(json)));
        if (!isInstance(read)) {
          expect(invalidMessages([read])).toMatchObject([{ key: '/services/s/a' }]);
          return;
        }
        const message = create(InstanceSchema, instanceMessage(read));
        const sent = fromBinary(InstanceSchema, toBinary(InstanceSchema, message));
        expect(sent).toMatchObject({ host: read.host, port: read.port, tags: read.tags, zone: read.zone });
        toJson(InstanceSchema, message);
        const again = readInstance('s', 'a', keyValue(instanceValue(read, read)));
        expect(again).toMatchObject({ ...read, members: {} });
      }),
      { numRuns: 2_000 },
    );
  });
});
