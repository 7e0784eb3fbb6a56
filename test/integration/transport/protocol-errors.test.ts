import { gzipSync } from 'node:zlib';
import { Code, ConnectError } from '@connectrpc/connect';
import { endStreamFromJson, errorFromJsonBytes } from '@connectrpc/connect/protocol-connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { trailerParse } from '@connectrpc/connect/protocol-grpc-web';
import { describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { envelope, type Http2Answer, requestHttp2, toHeaders } from './raw-http.ts';
import { startToy, type Toy } from './toy-server.ts';

const GET = '/concord.kv.v1.KvService/Get';
const WATCH = '/grpc.health.v1.Health/Watch';
const MAX_BYTES = 1_000;

/** A field of length 5 of which 1 byte is there. */
const TRUNCATED = Uint8Array.of(0x0a, 5, 0x61);
const TOO_LARGE = Buffer.alloc(MAX_BYTES + 1, 0x61);
const BOMB = gzipSync(Buffer.alloc(MAX_BYTES * 100));

interface Case {
  readonly name: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly code: Code;
  readonly reason: string;
}

const ENVELOPED = ['grpc', 'grpc-web', 'connect stream'] as const;

function enveloped(protocol: (typeof ENVELOPED)[number]): readonly Case[] {
  const isConnect = protocol === 'connect stream';
  const prefix = isConnect ? 'connect' : protocol;
  const path = isConnect ? WATCH : GET;
  const json = { 'content-type': `application/${prefix}+json` };
  const proto = { 'content-type': `application/${prefix}+proto` };
  const encoding = isConnect ? 'connect-content-encoding' : 'grpc-encoding';
  const timeout = isConnect ? 'connect-timeout-ms' : 'grpc-timeout';
  const malformed = { path, code: Code.InvalidArgument, reason: 'REQUEST_MALFORMED' };
  const tooLarge = { path, code: Code.ResourceExhausted, reason: 'REQUEST_TOO_LARGE' };
  const unsupported = { path, code: Code.Unimplemented, reason: 'NOT_SUPPORTED' };
  const gzip = { ...proto, [encoding]: 'gzip' };
  return [
    { name: 'malformed JSON', headers: json, body: envelope(Buffer.from('{"key')), ...malformed },
    {
      name: 'truncated protobuf, the content type between spaces',
      headers: { 'content-type': ` application/${prefix}+proto ` },
      body: envelope(TRUNCATED),
      ...malformed,
    },
    { name: 'truncated protobuf', headers: proto, body: envelope(TRUNCATED), ...malformed },
    { name: 'a truncated envelope', headers: proto, body: Uint8Array.of(0, 0, 0), ...malformed },
    {
      name: 'an envelope shorter than it says',
      headers: proto,
      body: Uint8Array.of(0, 0, 0, 0, 9, 1),
      ...malformed,
    },
    {
      name: 'an envelope compressed without saying how',
      headers: proto,
      body: envelope(TRUNCATED, 1),
      ...malformed,
    },
    { name: 'bytes that are not gzip', headers: gzip, body: envelope(TRUNCATED, 1), ...malformed },
    {
      name: 'an unknown compression',
      headers: { ...proto, [encoding]: 'br' },
      body: envelope(Buffer.alloc(0)),
      ...unsupported,
    },
    {
      name: 'a bad time-out',
      headers: { ...proto, [timeout]: 'soon' },
      body: envelope(Buffer.alloc(0)),
      ...malformed,
    },
    { name: 'no message', headers: proto, body: Buffer.alloc(0), ...unsupported },
    {
      name: 'two messages',
      headers: proto,
      body: Buffer.concat([envelope(Buffer.alloc(0)), envelope(Buffer.alloc(0))]),
      ...unsupported,
    },
    { name: 'too large a message', headers: proto, body: envelope(TOO_LARGE), ...tooLarge },
    { name: 'too large a message once unpacked', headers: gzip, body: envelope(BOMB, 1), ...tooLarge },
  ];
}

const json = { 'content-type': 'application/json' };
const malformed = { path: GET, code: Code.InvalidArgument, reason: 'REQUEST_MALFORMED' };
const CONNECT_UNARY: readonly Case[] = [
  { name: 'malformed JSON', headers: json, body: Buffer.from('{"key'), ...malformed },
  { name: 'JSON of another type', headers: json, body: Buffer.from('{"key":1}'), ...malformed },
  {
    name: 'malformed JSON, the error compressed',
    headers: { ...json, 'accept-encoding': 'gzip' },
    body: Buffer.from(`{"revision":"${'x'.repeat(900)}"}`),
    ...malformed,
  },
  {
    name: 'truncated protobuf',
    headers: { 'content-type': 'application/proto' },
    body: TRUNCATED,
    ...malformed,
  },
  {
    name: 'bytes that are not gzip',
    headers: { ...json, 'content-encoding': 'gzip' },
    body: TRUNCATED,
    ...malformed,
  },
  {
    name: 'a bad time-out',
    headers: { ...json, 'connect-timeout-ms': 'soon' },
    body: Buffer.from('{}'),
    ...malformed,
  },
  {
    name: 'a bad query',
    headers: { ':method': 'GET' },
    body: Buffer.alloc(0),
    ...malformed,
    path: `${GET}?encoding=proto&base64=1&message=%21`,
  },
  {
    name: 'an unknown compression',
    headers: { ...json, 'content-encoding': 'br' },
    body: Buffer.from('{}'),
    path: GET,
    code: Code.Unimplemented,
    reason: 'NOT_SUPPORTED',
  },
  {
    name: 'too large a message',
    headers: json,
    body: TOO_LARGE,
    path: GET,
    code: Code.ResourceExhausted,
    reason: 'REQUEST_TOO_LARGE',
  },
  {
    name: 'too large a message once unpacked',
    headers: { ...json, 'content-encoding': 'gzip' },
    body: BOMB,
    path: GET,
    code: Code.ResourceExhausted,
    reason: 'REQUEST_TOO_LARGE',
  },
];

describe('what the library refuses', () => {
  const cases = [
    ...ENVELOPED.flatMap((protocol) => enveloped(protocol).map((each) => ({ ...each, protocol }))),
    ...CONNECT_UNARY.map((each) => ({ ...each, protocol: 'connect' as const })),
  ];

  it.each(cases)(
    'leaves with one reason: $name over $protocol',
    async ({ protocol, path, headers, body, code, reason }) => {
      await using toy = await startToy({}, { maxRequestBytes: MAX_BYTES });
      const answer = await requestHttp2(toy.baseUrl, { ':path': path, ...headers }, body);
      const error = errorIn(protocol, answer);
      expect(Code[error.code]).toBe(Code[code]);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ domain: 'concord', reason }]);
      expect(error.rawMessage).not.toBe('');
      expect(error.rawMessage.length).toBeLessThanOrEqual(512);
      expectSeen(toy, code, reason);
    },
  );
});

describe('an answer that cannot be sent', () => {
  const request = {
    grpc: envelope(Buffer.alloc(0)),
    'grpc-web': envelope(Buffer.alloc(0)),
    connect: Buffer.alloc(0),
  };

  it.each(['grpc', 'grpc-web', 'connect'] as const)(
    'is RESPONSE_TOO_LARGE over the limit: %s',
    async (protocol) => {
      const get = async () => ({ revision: 1n, kv: { value: 'v'.repeat(MAX_BYTES) } });
      await using toy = await startToy({ get }, { maxResponseBytes: MAX_BYTES });
      const headers = {
        ':path': GET,
        'content-type': `application/${protocol === 'connect' ? 'proto' : protocol}`,
      };
      const error = errorIn(protocol, await requestHttp2(toy.baseUrl, headers, request[protocol]));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'RESPONSE_TOO_LARGE' }]);
      expectSeen(toy, Code.ResourceExhausted, 'RESPONSE_TOO_LARGE');
    },
  );

  it.each(['grpc', 'grpc-web', 'connect'] as const)(
    'is INTERNAL where it is not of its type: %s',
    async (protocol) => {
      await using toy = await startToy({ get: async () => ({ revision: 2n ** 70n }) });
      const headers = {
        ':path': GET,
        'content-type': `application/${protocol === 'connect' ? 'proto' : protocol}`,
      };
      const error = errorIn(protocol, await requestHttp2(toy.baseUrl, headers, request[protocol]));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'INTERNAL' }]);
      expectSeen(toy, Code.Internal, 'INTERNAL');
    },
  );
});

function expectSeen(toy: Toy, code: Code, reason: string): void {
  expect(toy.seen.map(({ outcomes }) => outcomes)).toEqual([[expect.objectContaining({ code, reason })]]);
}

/** Returns the error of an answer, in whichever way its protocol carries it. */
function errorIn(protocol: Case['name'], { headers, trailers, body }: Http2Answer): ConnectError {
  const fallback = new ConnectError('no error in the answer', Code.DataLoss);
  switch (protocol) {
    case 'grpc':
      return findTrailerError(toHeaders(trailers)) ?? fallback;
    case 'grpc-web':
      expect(body[0]).toBe(0x80);
      return findTrailerError(trailerParse(body.subarray(5))) ?? fallback;
    case 'connect stream':
      expect(body[0]).toBe(0x02);
      return endStreamFromJson(body.subarray(5)).error ?? fallback;
    default:
      expect(headers[':status']).not.toBe(200);
      expect(headers['content-length']).toBe(String(body.length));
      return errorFromJsonBytes(body, undefined, fallback);
  }
}
