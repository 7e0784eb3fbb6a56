import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldDecoder } from '../../../../../src/transport/http2/hpack/field-decoder.ts';
import { HpackError } from '../../../../../src/transport/http2/hpack/hpack-error.ts';
import {
  hpackField,
  hpackFields,
  hpackIndex,
  hpackInteger,
  hpackString,
  hpackTableSize,
  NEWEST_INDEX,
} from '../../../../support/hpack-encoder.ts';

const MAX_LIST_BYTES = 64 * 1024;
const TABLE_BYTES = 4096;

const REQUESTS = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [
    ...[':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
    ...['cache-control', 'no-cache'],
  ],
  [
    ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
    ...['custom-key', 'custom-value'],
  ],
];
const LOCATION = ['location', 'https://www.example.com'];
const DATE = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'];
const RESPONSES = [
  [':status', '302', 'cache-control', 'private', ...DATE, ...LOCATION],
  [':status', '307', 'cache-control', 'private', ...DATE, ...LOCATION],
  [
    ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', ...LOCATION],
    ...['content-encoding', 'gzip'],
    ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
];

/** RFC 7541, appendix C: blocks of one connection each, and the lists that they stand for. */
const EXAMPLES: readonly (readonly [name: string, blocks: readonly string[], lists: readonly string[][]])[] =
  [
    ['C.2.1', ['400a637573746f6d2d6b65790d637573746f6d2d686561646572'], [['custom-key', 'custom-header']]],
    ['C.2.2', ['040c2f73616d706c652f70617468'], [[':path', '/sample/path']]],
    ['C.2.3', ['100870617373776f726406736563726574'], [['password', 'secret']]],
    ['C.2.4', ['82'], [[':method', 'GET']]],
    [
      'C.3',
      [
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ],
      REQUESTS,
    ],
    [
      'C.4',
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ],
      REQUESTS,
    ],
    [
      'C.5, with a table of 256 bytes',
      [
        `3fe1014803333032580770726976617465611d${hex('Mon, 21 Oct 2013 20:13:21 GMT')}6e17${hex('https://www.example.com')}`,
        '4803333037c1c0bf',
        `88c1611d${hex('Mon, 21 Oct 2013 20:13:22 GMT')}c05a04677a69707738${hex('foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1')}`,
      ],
      RESPONSES,
    ],
    [
      'C.6, with a table of 256 bytes',
      [
        '3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
        '4883640effc1c0bf',
        '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
      ],
      RESPONSES,
    ],
  ];

const FAULTS: readonly (readonly [what: string, block: Uint8Array])[] = [
  ['an integer that is cut off', Buffer.of(0xff)],
  ['an integer that is too large', Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)],
  ['an integer of endless zeros', Buffer.of(0xff, ...Array<number>(20).fill(0x80), 0)],
  ['the index 0', hpackIndex(0)],
  ['an index that the table does not reach', hpackIndex(NEWEST_INDEX)],
  ['a name of an index that the table does not reach', Buffer.of(0x7f, 0, 0)],
  ['a field without its value', Buffer.concat([Buffer.of(0), hpackString('a')])],
  ['a string that is cut off', Buffer.of(0, 5, 0x61)],
  ['a string that is much longer than the block', Buffer.concat([Buffer.of(0), hpackInteger(2 ** 27, 7)])],
  ['a string that is no Huffman code', Buffer.of(0, 0x81, 0xff, 0)],
  ['a table that is too large', hpackTableSize(TABLE_BYTES + 1)],
  ['a size of the table behind a field', Buffer.concat([hpackIndex(2), hpackTableSize(0)])],
];

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}

function open(): FieldDecoder {
  return new FieldDecoder(MAX_LIST_BYTES);
}

describe('the decoder of fields', () => {
  it.each(EXAMPLES)('reads what RFC 7541 shows: %s', (_, blocks, lists) => {
    const decoder = open();
    expect(blocks.map((block) => decoder.decode(Buffer.from(block, 'hex')))).toEqual(lists);
  });

  it('reads any fields, in whichever way they are written', () => {
    const text = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    const field = fc.tuple(text, text, fc.record({ isHuffman: fc.boolean(), isKept: fc.boolean() }));
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 8 }), { maxLength: 8 }), (lists) => {
        const decoder = open();
        for (const list of lists) {
          const block = Buffer.concat(list.map((each) => hpackField(...each)));
          expect(decoder.decode(block)).toEqual(list.flatMap((each) => each.slice(0, 2)));
        }
      }),
    );
  });

  it.each(FAULTS)('takes %s for no HPACK', (_, block) => {
    expect(() => open().decode(Buffer.from(block))).toThrow(HpackError);
  });

  it('says that bytes at random are no HPACK, or what they stand for', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (blocks) => {
        const decoder = open();
        try {
          for (const block of blocks) decoder.decode(Buffer.from(block));
        } catch (error) {
          expect(error).toBeInstanceOf(HpackError);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps fields until newer ones need their room, of which each counts 32 bytes more', () => {
    const decoder = open();
    const half = TABLE_BYTES / 2 - 32 - 1;
    decoder.decode(hpackField('a', 'x'.repeat(half), { isKept: true }));
    decoder.decode(hpackField('b', 'x'.repeat(half), { isKept: true }));
    expect(decoder.decode(hpackIndex(NEWEST_INDEX + 1))?.[0]).toBe('a');
    decoder.decode(hpackField('c', '', { isKept: true }));
    expect(decoder.decode(hpackIndex(NEWEST_INDEX))).toEqual(['c', '']);
    expect(decoder.decode(hpackIndex(NEWEST_INDEX + 1))?.[0]).toBe('b');
    expect(() => decoder.decode(hpackIndex(NEWEST_INDEX + 2))).toThrow(HpackError);
  });

  it('keeps none of a field that is larger than its table, and nothing else either', () => {
    const decoder = open();
    decoder.decode(hpackField('a', '1', { isKept: true }));
    const large = 'x'.repeat(TABLE_BYTES);
    expect(decoder.decode(hpackField('b', large, { isKept: true }))).toEqual(['b', large]);
    expect(() => decoder.decode(hpackIndex(NEWEST_INDEX))).toThrow(HpackError);
  });

  it('takes a name from the field that has to leave for it', () => {
    const decoder = open();
    decoder.decode(hpackField('a', 'x'.repeat(4_000), { isKept: true }));
    const block = Buffer.concat([hpackInteger(NEWEST_INDEX, 6, 0x40), hpackString('y'.repeat(4_000))]);
    expect(decoder.decode(block)).toEqual(['a', 'y'.repeat(4_000)]);
    expect(decoder.decode(hpackIndex(NEWEST_INDEX))).toEqual(['a', 'y'.repeat(4_000)]);
  });

  it('forgets what does not fit into a table that has become smaller, also when it grows again', () => {
    const decoder = open();
    decoder.decode(
      hpackFields(
        [
          ['a', '1'],
          ['b', '2'],
        ],
        { isKept: true },
      ),
    );
    decoder.decode(Buffer.concat([hpackTableSize(34), hpackTableSize(TABLE_BYTES)]));
    expect(decoder.decode(hpackIndex(NEWEST_INDEX))).toEqual(['b', '2']);
    expect(() => decoder.decode(hpackIndex(NEWEST_INDEX + 1))).toThrow(HpackError);
  });

  it('counts the versions of its table', () => {
    const decoder = open();
    const versions = [decoder.tableVersion];
    const changes = [hpackField('a', '1', { isKept: true }), hpackTableSize(0), hpackTableSize(100)];
    for (const block of [...changes, hpackField('a', '1'), hpackIndex(2)]) {
      decoder.decode(block);
      versions.push(decoder.tableVersion);
    }
    expect(new Set(versions.slice(0, 4)).size).toBe(4);
    expect(new Set(versions.slice(3)).size).toBe(1);
  });

  it('goes on behind a list that is too large, with what that put into the table', () => {
    const decoder = new FieldDecoder(1_000);
    const large = hpackField('a', 'x'.repeat(1_000));
    const kept = hpackField('b', '2', { isKept: true });
    expect(decoder.decode(Buffer.concat([large, kept, hpackField('c', '3')]))).toBeUndefined();
    expect(decoder.decode(hpackIndex(NEWEST_INDEX))).toEqual(['b', '2']);
  });

  it('returns a list up to its limit, in which each field counts 32 bytes more', () => {
    const decoder = new FieldDecoder(100);
    expect(
      decoder.decode(
        hpackFields([
          ['a', 'x'.repeat(17)],
          ['b', 'x'.repeat(17)],
        ]),
      ),
    ).toHaveLength(4);
    expect(
      decoder.decode(
        hpackFields([
          ['a', 'x'.repeat(17)],
          ['b', 'x'.repeat(18)],
        ]),
      ),
    ).toBeUndefined();
  });
});
