import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entryValue,
  readEntry,
  readRecord,
  recordValue,
  type VersionRecord,
} from '../../../src/domain/config/version-record.ts';
import { someRecord } from './some-item.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const anyRecord: fc.Arbitrary<VersionRecord> = fc.record(
  {
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    contentType: fc.constantFrom('text', 'json', 'yaml', 'toml', 'properties', 'number', 'boolean'),
    author: fc.string({ unit: 'grapheme' }),
    comment: fc.string({ unit: 'grapheme' }),
    updateWallMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
    isSecret: fc.boolean(),
    isDeleted: fc.boolean(),
    isExternal: fc.boolean(),
    rollbackOf: fc.nat(),
    valueRevision: fc.bigInt({ min: 0n, max: 10n ** 17n }),
    revision: fc.bigInt({ min: 0n, max: 10n ** 17n }),
  },
  { noNullPrototype: true },
);

/** What another etcd client may have written there. */
const JUNK = [
  '',
  'x',
  'null',
  '[]',
  '1',
  '"version"',
  '{}',
  '{"version":0}',
  '{"version":-1}',
  '{"version":"1"}',
  '{"version":1.5}',
  '{"version":1e300}',
  '{"version":{"valueOf":1}}',
  '{"version":1',
];

describe('what is known of a version', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        expect(readRecord(recordValue(record))).toEqual(record);
      }),
    );
  });

  it('is JSON that says no more than it has to', () => {
    expect(JSON.parse(decoder.decode(recordValue(someRecord())))).toEqual({
      version: 1,
      contentType: 'text',
      updateTime: '1970-01-01T00:00:00.000Z',
    });
  });

  it.each(JUNK)('is nothing where somebody wrote %j', (junk) => {
    expect(readRecord(encoder.encode(junk))).toBeUndefined();
    expect(readEntry(encoder.encode(`${junk}\nvalue`))).toBeUndefined();
  });

  it('takes of what others wrote what can be sent', () => {
    const said = {
      version: 7,
      contentType: 'xml',
      author: 1,
      comment: '\ud800',
      updateTime: 'soon',
      secret: 'yes',
      deleted: 1,
      external: null,
      rollbackOf: -1,
      valueRevision: 12,
      revision: '-5',
      __proto__: { author: 'x' },
    };
    expect(readRecord(encoder.encode(JSON.stringify(said)))).toEqual(
      someRecord({ version: 7, comment: '\ufffd' }),
    );
  });

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        readRecord(bytes);
        readEntry(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.json(), fc.string(), (json, rest) => {
        readEntry(encoder.encode(`${json}\n${rest}`));
      }),
    );
  });
});

describe('a key of the history', () => {
  it('holds the value as it is behind the first line', () => {
    fc.assert(
      fc.property(anyRecord, fc.uint8Array(), (record, value) => {
        const stored = entryValue({ record, value });
        expect(readEntry(stored)).toEqual({ record, value });
        expect(stored.indexOf(0x0a)).toBe(stored.length - value.length - 1);
      }),
    );
  });

  it('is nothing without a second line', () => {
    expect(readEntry(recordValue(someRecord()))).toBeUndefined();
  });
});
