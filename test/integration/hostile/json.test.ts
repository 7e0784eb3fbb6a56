import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import type { StoreState } from '../../support/store-state.ts';
import { wireProtocols } from '../../support/wire-protocol.ts';

const JSON_PROTOCOLS = wireProtocols({ codec: 'json' });
const LEVELS = 10_000;

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

/** Sends a JSON text in every protocol, and expects the same refusal from each. */
async function expectRefusal(rpc: string, json: string, refusal: object): Promise<void> {
  for (const protocol of JSON_PROTOCOLS) {
    expect(await target.kvRefusal(protocol, rpc, json), protocol.name).toMatchObject(refusal);
  }
}

const NO_JSON: readonly (readonly [what: string, rpc: string, json: string])[] = [
  ['nothing', 'Get', ''],
  ['an object that does not end', 'Put', '{"key":"a"'],
  ['text after the object', 'Put', '{"key":"a"}x'],
  ['a trailing comma', 'Put', '{"key":"a",}'],
  ['a comment', 'Put', '{"key":"a"/* b */}'],
  ['a number that is none', 'Put', '{"key":"a","leaseId":NaN}'],
  ['bytes that are no text', 'Get', '\u0000\u0001\u0002'],
  ['a list', 'Get', '[]'],
  ['a string', 'Get', '"a"'],
  ['null', 'Get', 'null'],
  ['a number', 'Get', '1'],
  ['100,000 open lists', 'Get', '['.repeat(100_000)],
];

const WRONG_TYPE: readonly (readonly [what: string, rpc: string, json: string])[] = [
  ['a key that is a number', 'Get', '{"key":1}'],
  ['a key that is an object', 'Get', '{"key":{}}'],
  ['keys that are no list', 'BatchGet', '{"keys":"a"}'],
  ['a list with null in it', 'BatchGet', '{"keys":[null]}'],
  ['entries that are an object', 'BatchPut', '{"entries":{}}'],
  ['a boolean that is a string', 'Put', '{"key":"a","returnPrevious":"true"}'],
  ['a ttl that is a number', 'Put', '{"key":"a","ttl":5}'],
  ['a ttl without its unit', 'Put', '{"key":"a","ttl":"5"}'],
  ['a ttl in minutes', 'Put', '{"key":"a","ttl":"5m"}'],
  ['a ttl of more than 10,000 years', 'Put', '{"key":"a","ttl":"315576000001s"}'],
  ['a fence that is a string', 'Put', '{"key":"a","fence":"lock"}'],
  ['bytes that are no base64', 'Put', '{"key":"a","valueBytes":"!!!"}'],
  ['an int64 that is a word', 'Put', '{"key":"a","leaseId":"abc"}'],
  ['an int64 with a fraction', 'Put', '{"key":"a","leaseId":1.5}'],
  ['an int64 above its range', 'Put', '{"key":"a","leaseId":"9223372036854775808"}'],
  ['an int64 below its range', 'Put', '{"key":"a","leaseId":"-9223372036854775809"}'],
  ['an int64 in exponents', 'Put', '{"key":"a","leaseId":1e30}'],
  ['an int32 above its range', 'List', '{"pageSize":2147483648}'],
  ['an enum that is a fraction', 'Put', '{"key":"a","encoding":1.5}'],
  ['two operations in one step', 'Txn', '{"success":[{"put":{"key":"a"},"get":{"key":"a"}}]}'],
];

const UNKNOWN: readonly (readonly [what: string, rpc: string, json: string])[] = [
  ['a field', 'Put', '{"key":"a","expectedRevison":"0"}'],
  ['a field of an inner message', 'BatchPut', '{"entries":[{"key":"a","expected":"0"}]}'],
  ['a value of an enum', 'Put', '{"key":"a","encoding":"BYTES"}'],
  [
    'a value of an enum in a compare',
    'Txn',
    '{"compares":[{"key":"a","comparison":"GREATER","version":"0"}],"success":[{"put":{"key":"a"}}]}',
  ],
];

const HALF = '\\ud800';
const HALF_SURROGATES: readonly (readonly [rpc: string, json: string])[] = [
  ['Get', `{"key":"${HALF}"}`],
  ['BatchGet', `{"keys":["a","${HALF}b"]}`],
  ['List', `{"prefix":"${HALF}"}`],
  ['List', `{"start":"a","end":"\\udc00"}`],
  ['List', `{"pageToken":"${HALF}"}`],
  ['ListChildren', `{"parent":"a","delimiter":"${HALF}"}`],
  ['Put', `{"key":"a","value":"${HALF}"}`],
  ['Put', `{"key":"a","fence":{"lock":"${HALF}","token":"1"}}`],
  ['BatchPut', `{"entries":[{"key":"${HALF}"}]}`],
  ['Delete', `{"key":"${HALF}"}`],
  ['DeleteRange', `{"prefix":"\\udc00${HALF}"}`],
  ['Txn', `{"compares":[{"key":"a","value":"${HALF}"}]}`],
  ['Txn', `{"success":[{"put":{"key":"a","value":"${HALF}"}}]}`],
];

const BROKEN_RULES: readonly (readonly [what: string, rpc: string, json: string, field: string])[] = [
  ['no key', 'Get', '{}', ''],
  ['a key that is null', 'Get', '{"key":null}', ''],
  ['a key twice', 'Get', '{"key":"a","keyBytes":"YQ=="}', ''],
  ['a value twice', 'Put', '{"key":"a","value":"b","valueBytes":"AA=="}', ''],
  [
    'a value twice in a batch',
    'BatchPut',
    '{"entries":[{"key":"a","value":"b","valueBytes":"AA=="}]}',
    'entries[0]',
  ],
  [
    'a value twice in a step',
    'Txn',
    '{"success":[{"put":{"key":"a","value":"b","valueBytes":"AA=="}}]}',
    'success[0].put',
  ],
  ['a key that is too long', 'Put', JSON.stringify({ key: 'ü'.repeat(2_049) }), 'key'],
  ['a ttl below 0', 'Put', '{"key":"a","ttl":"-5s"}', 'ttl'],
  ['a ttl of 0', 'Put', '{"key":"a","ttl":"0s"}', 'ttl'],
  ['a ttl below 0 for a batch', 'BatchPut', '{"entries":[{"key":"a"}],"ttl":"-0.000000001s"}', 'ttl'],
  ['an enum number that is none', 'Put', '{"key":"a","encoding":99}', 'encoding'],
  ['an enum number below 0', 'List', '{"view":-1}', 'view'],
  ['a revision below 0', 'Get', '{"key":"a","revision":"-1"}', 'revision'],
  ['a fence of nobody', 'Put', '{"key":"a","fence":{"token":"1"}}', 'fence.holder'],
  ['a step that does nothing', 'Txn', '{"success":[{}]}', 'success[0].operation'],
  ['a prefix and an end', 'DeleteRange', '{"prefix":"a","end":"b"}', ''],
];

describe('a request in JSON', () => {
  it.each(NO_JSON)('is refused where it is %s', async (_, rpc, json) => {
    await expectRefusal(rpc, json, { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' });
  });

  it.each(WRONG_TYPE)('is refused where it has %s', async (_, rpc, json) => {
    await expectRefusal(rpc, json, { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' });
  });

  it.each(UNKNOWN)('is refused where it names %s that does not exist', async (_, rpc, json) => {
    await expectRefusal(rpc, json, { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' });
  });

  it.each(HALF_SURROGATES)('to %s is refused where it holds half a surrogate pair: %s', async (rpc, json) => {
    await expectRefusal(rpc, json, { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' });
  });

  it.each(BROKEN_RULES)('is refused where it has %s', async (_, rpc, json, field) => {
    await expectRefusal(rpc, json, { code: 'InvalidArgument', reason: 'FIELD_INVALID', metadata: { field } });
  });

  it('is refused where transactions are nested 10,000 deep', async () => {
    const json = `${'{"success":[{"txn":'.repeat(LEVELS)}{}${'}]}'.repeat(LEVELS)}`;
    await expectRefusal('Txn', json, { code: 'InvalidArgument' });
  });

  it('has its error quote no half of a character', async () => {
    for (const lead of ['', ' ', '  ', '   ']) {
      for (const json of [
        `{"key":${lead}${'\u{1f600}'.repeat(400)}`,
        `{"key":["${lead}${'\u{1f600}'.repeat(400)}"]}`,
      ]) {
        await expectRefusal('Get', json, { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' });
      }
    }
  });

  it('has its error quote no more of it than a header can carry', async () => {
    const json = JSON.stringify({ key: { a: 'x'.repeat(200_000) } });
    for (const protocol of JSON_PROTOCOLS) {
      const { message } = await target.kvRefusal(protocol, 'Get', json);
      expect(message.length, protocol.name).toBeLessThan(1_024);
    }
  });
});
