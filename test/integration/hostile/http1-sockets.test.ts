import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { exchangeBytes } from '../../support/exchange-bytes.ts';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import type { StoreState } from '../../support/store-state.ts';
import { kvPath } from '../../support/wire-protocol.ts';

const RUNS = 300;
const ANSWER_TIMEOUT_MS = 30_000;

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

const BODY = '{"key":"a"}';
const HEAD = `POST ${kvPath('Put')} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`;
const WITH_LENGTH = `content-length: ${BODY.length}\r\n`;
const CHUNKED = 'transfer-encoding: chunked\r\n';

const NO_REQUEST: readonly (readonly [what: string, text: string])[] = [
  ['words', 'hello, gateway\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['HTTP/9.9', 'GET / HTTP/9.9\r\nhost: a\r\n\r\n'],
  ['a method that does not exist', 'FETCH / HTTP/1.1\r\nhost: a\r\n\r\n'],
  ['a header without a colon', `${HEAD}${WITH_LENGTH}no colon\r\n\r\n${BODY}`],
  ['a header with a NUL', `${HEAD}${WITH_LENGTH}x: a\u0000b\r\n\r\n${BODY}`],
  ['a header whose name has a space', `${HEAD}${WITH_LENGTH}x y: 1\r\n\r\n${BODY}`],
  ['two hosts', `${HEAD}${WITH_LENGTH}host: b\r\n\r\n${BODY}`],
  ['a length below 0', `${HEAD}content-length: -1\r\n\r\n${BODY}`],
  ['a length that is a word', `${HEAD}content-length: eleven\r\n\r\n${BODY}`],
  ['two lengths', `${HEAD}${WITH_LENGTH}content-length: 5\r\n\r\n${BODY}`],
  ['a length and chunks', `${HEAD}${WITH_LENGTH}${CHUNKED}\r\n0\r\n\r\n`],
  ['a chunk whose size is a word', `${HEAD}${CHUNKED}\r\nxyz\r\n${BODY}\r\n0\r\n\r\n`],
  ['a chunk of 16 EiB', `${HEAD}${CHUNKED}\r\nfffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`],
  ['a chunk that is longer than it says', `${HEAD}${CHUNKED}\r\n2\r\n${BODY}\r\n0\r\n\r\n`],
  ['headers of 100 KiB', `${HEAD}x: ${'x'.repeat(100 << 10)}\r\n\r\n`],
  ['a path of 100 KiB', `GET /${'x'.repeat(100 << 10)} HTTP/1.1\r\nhost: a\r\n\r\n`],
  ['the hello of a TLS client', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'],
];

const HALF_REQUESTS: readonly (readonly [what: string, text: string])[] = [
  ['nothing', ''],
  ['one letter', 'P'],
  ['half a request line', 'POST /concord.kv'],
  ['half a header', `${HEAD}content-le`],
  ['no end of the headers', `${HEAD}${WITH_LENGTH}`],
  ['half a body', `${HEAD}${WITH_LENGTH}\r\n{"key`],
  ['a whole message of a longer body', `${HEAD}content-length: 12\r\n\r\n${BODY}`],
  ['half a chunk', `${HEAD}${CHUNKED}\r\nb\r\n{"key`],
  ['a whole message without the last chunk', `${HEAD}${CHUNKED}\r\nb\r\n${BODY}\r\n`],
];

describe('a connection of HTTP/1.1', () => {
  it.each(NO_REQUEST)('is answered with a clear error and closed where it brings %s', async (_, text) => {
    const answer = (
      await exchangeBytes(target.gateway.port, text, { finish: 'keep', timeoutMs: ANSWER_TIMEOUT_MS })
    ).toString('latin1');
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    const { code, details } = JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n'))) as {
      readonly code: string;
      readonly details: readonly { readonly type: string; readonly debug: object }[];
    };
    expect(code).toBe('invalid_argument');
    expect(details).toMatchObject([{ debug: { reason: 'REQUEST_MALFORMED', domain: 'concord' } }]);
  });

  it.each(HALF_REQUESTS)('ends without a trace where it brings %s and ends', async (_, text) => {
    for (const finish of ['end', 'reset'] as const)
      await exchangeBytes(target.gateway.port, text, { finish });
    await expectNothingOpen();
  });

  it('survives bytes at random', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
      fc.uint8Array({ maxLength: 200 }).map((tail) => Buffer.concat([Buffer.from(HEAD), tail])),
      fc
        .uint8Array({ maxLength: 200 })
        .map((tail) => Buffer.concat([Buffer.from(`${HEAD}${CHUNKED}\r\n`), tail])),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (sent) => {
        const answer = (await exchangeBytes(target.gateway.port, sent)).toString('latin1');
        if (answer !== '') expect(answer).toMatch(/^HTTP\/1\.1 [45]\d\d /);
        expect(answer).not.toContain('"internal"');
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    await expectNothingOpen();
  });
});

/** Waits until the gateway has let go of every call, and of every connection but those that stay open for the tests. */
async function expectNothingOpen(): Promise<void> {
  await eventually(async () => {
    const metrics = await (await fetch(`${target.gateway.url}/metrics`)).text();
    expect(metrics).not.toMatch(/^concord_rpc_in_flight\{.*\} [1-9]/m);
    expect(Number(/^concord_connections (\d+)$/m.exec(metrics)?.[1])).toBeLessThan(16);
  });
}
