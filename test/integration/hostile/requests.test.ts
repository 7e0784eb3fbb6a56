import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RawRequest } from '../../support/raw-request.ts';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import type { StoreState } from '../../support/store-state.ts';
import { kvPath, WIRE_PROTOCOLS, wireProtocols, wireRequest } from '../../support/wire-protocol.ts';

const MALFORMED = { code: 'InvalidArgument', reason: 'REQUEST_MALFORMED' };
const WRITE = { json: '{"key":"a"}', proto: Uint8Array.of(0x0a, 1, 0x61) };
const HTTP_VERSIONS = ['1.1', '2'] as const;

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

/** Sends a Connect request over both versions of HTTP, and expects the same refusal from each. */
async function expectRefusal(changes: Partial<RawRequest>, refusal: object): Promise<void> {
  for (const version of HTTP_VERSIONS) {
    const request = { path: kvPath('Put'), headers: {}, body: Buffer.from(WRITE.json), ...changes };
    expect(await target.refusal(version, request), `HTTP/${version}`).toMatchObject(refusal);
  }
}

describe('a content type', () => {
  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/json; charset=latin1',
    'application/json, application/json',
    'application/connect+json',
    'application/grpc+xml',
    'application/grpc-web-text',
    '*/*',
    '',
  ])('is refused where the rpc does not take it: "%s"', async (contentType) => {
    await expectRefusal({ headers: { 'content-type': contentType } }, { ...MALFORMED, httpStatus: 415 });
  });

  it('is missed where there is none', async () => {
    await expectRefusal({ headers: {} }, { ...MALFORMED, httpStatus: 415 });
  });
});

describe('a method', () => {
  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'])(
    'is refused where the rpc does not take it: %s',
    async (method) => {
      const headers = { 'content-type': 'application/json' };
      await expectRefusal({ method, headers, body: Buffer.alloc(0) }, { ...MALFORMED, httpStatus: 405 });
    },
  );

  it('is refused where it would only ask for the head of a write', async () => {
    for (const version of HTTP_VERSIONS) {
      const request = { method: 'HEAD', path: kvPath('Put'), headers: {}, body: Buffer.alloc(0) };
      expect(await target.send(version, request)).toMatchObject({ status: 405, body: Buffer.alloc(0) });
    }
  });
});

describe('a path', () => {
  const paths = [
    '/',
    '/nothing',
    '/concord.kv.v1.KvService',
    '/concord.kv.v1.KvService/',
    '/concord.kv.v1.KvService/put',
    '/concord.kv.v1.KvService/Put/',
    '//concord.kv.v1.KvService/Put',
    '/concord.kv.v1.KvService/%50ut',
    '/concord.kv.v2.KvService/Put',
    '/../concord.kv.v1.KvService/Put',
    '/concord.kv.v1.KvService/Put%00',
    '/__proto__',
    '/constructor/toString',
    `/${'long'.repeat(2_000)}`,
  ];
  it.each(paths.map((path) => [path.slice(0, 40), path]))(
    'is refused where nothing is served: %s',
    async (_, path) => {
      for (const protocol of WIRE_PROTOCOLS) {
        const request = wireRequest(protocol, path, WRITE[protocol.codec]);
        const refusal = {
          code: 'Unimplemented',
          reason: 'NOT_SUPPORTED',
          httpStatus: protocol.kind === 'connect' ? 404 : 200,
        };
        expect(await target.refusal(protocol.httpVersion, request), protocol.name).toMatchObject(refusal);
      }
    },
  );
});

describe('a time-out', () => {
  const wrong = ['abc', '-1', '1.5', '1e3', '0x10', ''];

  it.each([...wrong, '5s'])(
    'of Connect is refused where it is no number of milliseconds: "%s"',
    async (value) => {
      await expectRefusal(
        { headers: { 'content-type': 'application/json', 'connect-timeout-ms': value } },
        MALFORMED,
      );
    },
  );

  it.each([...wrong, '5', '5s', '-1S', '1.5S', '5x', '18446744073709551616n'])(
    'of gRPC is refused where it is none: "%s"',
    async (value) => {
      for (const protocol of WIRE_PROTOCOLS.filter(({ kind }) => kind !== 'connect')) {
        const request = wireRequest(protocol, kvPath('Put'), WRITE[protocol.codec], {
          'grpc-timeout': value,
        });
        expect(await target.refusal(protocol.httpVersion, request), protocol.name).toMatchObject(MALFORMED);
      }
    },
  );

  it('of nothing has passed before anything is written', async () => {
    for (const protocol of WIRE_PROTOCOLS) {
      const headers = { 'grpc-timeout': '0m', 'connect-timeout-ms': '0' };
      const request = wireRequest(protocol, kvPath('Put'), WRITE[protocol.codec], headers);
      expect(await target.refusal(protocol.httpVersion, request), protocol.name).toMatchObject({
        code: 'DeadlineExceeded',
        reason: 'DEADLINE_EXCEEDED',
      });
    }
  });
});

describe('a GET', () => {
  const queries = [
    ['without a message', 'encoding=json', MALFORMED],
    ['with a message that is no JSON', 'encoding=json&message=%zz', MALFORMED],
    ['with a message that is no base64', 'encoding=json&base64=1&message=!!!', MALFORMED],
    ['with a message that is no protobuf', 'encoding=proto&base64=1&message=Cg', MALFORMED],
    ['with a message that is no gzip', 'encoding=json&base64=1&compression=gzip&message=e30', MALFORMED],
    ['with a message that breaks a rule', 'encoding=json&message=%7B%7D', { reason: 'FIELD_INVALID' }],
    [
      'in a compression that is not served',
      'encoding=json&compression=br&message=e30',
      { reason: 'NOT_SUPPORTED' },
    ],
    ['in an encoding that is not served', 'encoding=xml&message=%7B%7D', { ...MALFORMED, httpStatus: 415 }],
    ['that names no encoding', 'message=%7B%7D', { ...MALFORMED, httpStatus: 415 }],
  ] as const;
  it.each(queries)('is refused %s', async (_, query, refusal) => {
    await expectRefusal(
      { method: 'GET', path: `${kvPath('Get')}?${query}`, headers: {}, body: Buffer.alloc(0) },
      refusal,
    );
  });

  it('of a write is refused, however it is put', async () => {
    const query = `encoding=json&message=${encodeURIComponent(WRITE.json)}`;
    const refusal = { ...MALFORMED, httpStatus: 405 };
    await expectRefusal(
      { method: 'GET', path: `${kvPath('Put')}?${query}`, headers: {}, body: Buffer.alloc(0) },
      refusal,
    );
  });
});

describe('a header', () => {
  it('is not what decides who is called: a host that is none is refused', async () => {
    for (const host of ['[', 'a b', 'a/b', 'a@b', 'a:99999', '\u00e4']) {
      const headers = { host, 'content-type': 'application/json' };
      const request = { path: kvPath('Put'), headers, body: Buffer.from(WRITE.json) };
      expect(await target.refusal('1.1', request), host).toMatchObject({ ...MALFORMED, httpStatus: 400 });
    }
  });

  it('may be anything that nobody asks for', async () => {
    for (const protocol of wireProtocols({ codec: 'json' })) {
      const headers = {
        'x-request-id': 'a\tb'.repeat(100),
        authorization: '\u00ff\u00fe',
        'x-bin': '!',
        traceparent: '00-0',
      };
      const request = wireRequest(protocol, kvPath('Get'), '{"key":"missing"}', headers);
      expect(await target.refusal(protocol.httpVersion, request), protocol.name).toMatchObject({
        reason: 'KEY_NOT_FOUND',
      });
    }
  });
});
