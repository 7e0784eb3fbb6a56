import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { GetRequestSchema } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import type { CallHead } from '../../../src/transport/direct/head.ts';
import { PlainConnection, type PlainServer } from '../../../src/transport/http1/plain-connection.ts';
import { END_OF_HEAD } from '../../../src/transport/http1/read-plain-head.ts';
import type { RpcCall } from '../../../src/transport/rpc-call.ts';
import { eventually } from '../../support/eventually.ts';
import { envelope, openRawSocket } from './raw-http.ts';
import { certificate, startToy, type Toy } from './toy-server.ts';

const GET = '/concord.kv.v1.KvService/Get';
const PROTO = toBinary(GetRequestSchema, create(GetRequestSchema, { key: 'abc' }));
const JSON_TYPE = 'application/json';
/** What node:http has from then on. */
const PAGE = 'GET /page HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST_PAGE = 'GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

interface Sent {
  readonly what: string;
  readonly path?: string;
  readonly type?: string;
  readonly body: string | Uint8Array;
  readonly more?: string;
}

const REQUESTS: readonly Sent[] = [
  { what: 'JSON', body: '{"key":"abc"}' },
  { what: 'no field', body: '{}' },
  { what: 'nothing', body: '' },
  { what: 'what is not JSON', body: '{"key":' },
  { what: 'a field that does not exist', body: '{"keys":"abc"}' },
  { what: 'a value that is not allowed', body: '{"key":"abc","revision":"-1"}' },
  { what: 'protobuf', type: 'application/proto', body: PROTO },
  { what: 'what is not protobuf', type: 'application/proto', body: Buffer.of(0xff) },
  { what: 'gRPC-Web', type: 'application/grpc-web+proto', body: envelope(PROTO) },
  { what: 'gRPC-Web that is cut', type: 'application/grpc-web+proto', body: envelope(PROTO).subarray(0, -1) },
  { what: 'gRPC, which is not for HTTP/1.1', type: 'application/grpc', body: envelope(PROTO) },
  { what: 'another type', type: 'text/plain', body: 'abc' },
  { what: 'another version', body: '{"key":"abc"}', more: 'Connect-Protocol-Version: 2\r\n' },
  { what: 'a deadline that is none', body: '{"key":"abc"}', more: 'Connect-Timeout-Ms: soon\r\n' },
  { what: 'a compression that is none', body: '{"key":"abc"}', more: 'Content-Encoding: x\r\n' },
  { what: 'what has a large answer', body: '{"key":"large"}' },
  { what: 'what has a compressed answer', body: '{"key":"large"}', more: 'Accept-Encoding: gzip\r\n' },
  { what: 'what has no answer', body: '{"key":"none"}' },
  { what: 'a query', path: `${GET}?a=b`, body: '{"key":"abc"}' },
  { what: 'a path that is none', path: `${GET}s`, body: '{}' },
  { what: 'a page’s own', body: '{"key":"abc"}', more: 'Origin: http://page.example\r\n' },
];

const BEHAVIOUR = {
  get: async (key: string) => {
    if (key === 'none') throw new Error('no answer');
    return { revision: BigInt(key.length), kv: { value: key === 'large' ? 'x'.repeat(100_000) : key } };
  },
};

describe('a request of HTTP/1.1 that comes in one piece', () => {
  it.each(REQUESTS)('is answered as one that comes in two: $what', async (sent) => {
    await using toy = await startToy(BEHAVIOUR);
    const request = whole({ ...sent, more: `X-Request-Id: mine\r\n${sent.more ?? ''}` });
    const inOne = await answerTo(toy, [request]);
    for (const at of [20, request.length - 1])
      expect(await answerTo(toy, [request.subarray(0, at), request.subarray(at)])).toEqual(inOne);
  });
});

describe('a connection of HTTP/1.1', () => {
  it('takes plain requests, then others, then plain ones', async () => {
    await using toy = await startToy(BEHAVIOUR);
    using client = await openRawSocket(toy.port);
    const keys = ['a', 'bb', 'bb', 'ccc', 'dd'];
    for (const [i, key] of keys.entries()) {
      client.send(whole({ body: `{"key":"${key}"}`, more: `X-Request-Id: id-${i}\r\n` }));
      await client.sees(`x-request-id: id-${i}\r\n`);
    }
    client.send(PAGE);
    await client.sees('HTTP/1.1 404');
    client.send(whole({ body: '{"key":"eeee"}' }));
    const text = await client.sees('eeee"');
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '200',
      '200',
      '200',
      '200',
      '200',
      '404',
      '200',
    ]);
    expect([...text.matchAll(/"kv":{"value":"(\w+)"/g)].map(([, value]) => value)).toEqual([...keys, 'eeee']);
    expect(toy.server.stats()).toMatchObject({ http1Connections: 1, calls: 0 });
    expect(toy.seen.map(({ outcomes }) => outcomes.length)).toEqual(Array(keys.length + 1).fill(1));
  });

  it.each([
    ['one request', 1, 20_000],
    ['many', 50, 1_000],
  ])('keeps what comes while a call is served, and answers it afterwards: %s', async (_, count, size) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using toy = await startToy({
      get: async (key) => {
        if (key === 'first') await released;
        return { revision: BigInt(key.length) };
      },
    });
    using client = await openRawSocket(toy.port);
    client.send(whole({ body: '{"key":"first"}' }));
    await eventually(() => expect(toy.seen).toHaveLength(1));
    const sizes = Array.from({ length: count }, (_, i) => size + i);
    for (const each of sizes) client.send(whole({ body: `{"key":"${'x'.repeat(each)}"}` }));
    // Time for it to be read.
    await sleep(50);
    release();
    await client.sees(`"revision":"${sizes.at(-1)}"`);
    client.send(whole({ body: '{"key":"last"}' }));
    const text = await client.sees('"revision":"4"');
    expect([...text.matchAll(/"revision":"(\d+)"/g)].map(([, revision]) => Number(revision))).toEqual([
      5,
      ...sizes,
      4,
    ]);
  });

  it('takes plain requests over TLS', async () => {
    await using toy = await startToy(BEHAVIOUR, { tls: certificate });
    const socket = connectTls({ port: toy.port, ca: certificate.cert, ALPNProtocols: ['http/1.1'] });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => void chunks.push(chunk));
    for (const key of ['a', 'large', 'bb']) {
      socket.write(whole({ body: `{"key":"${key}"}` }));
      await eventually(() => expect(Buffer.concat(chunks).toString()).toMatch(/"value":"\w+"}}$/));
      expect(Buffer.concat(chunks.splice(0)).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    }
    socket.end();
    await once(socket, 'close');
    await eventually(() => expect(toy.server.stats().connections).toBe(0));
  });
});

describe('an idle connection of HTTP/1.1', () => {
  it('is refused where nothing has come, and not while a call is served', async () => {
    await using server = await startPlainServer({ firstRequestTimeoutMs: 200, keepAliveMs: 60_000 });
    using silent = await openRawSocket(server.port);
    using calling = await openRawSocket(server.port);
    calling.send(whole({ body: 'abc' }));
    expect(await silent.closed).toBe('too late');
    await eventually(() => expect(server.bodies).toEqual(['abc']));
    expect(calling.isClosed).toBe(false);
    server.release();
    await calling.sees('abc');
    expect(server.ended).toEqual(['finished']);
  });

  it('is closed some time after its last answer', async () => {
    await using server = await startPlainServer({ firstRequestTimeoutMs: 60_000, keepAliveMs: 200 });
    server.release();
    using client = await openRawSocket(server.port);
    client.send(whole({ body: 'abc' }));
    expect(await client.closed).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-length: 3\r\na: b\r\n\r\nabc$/);
    expect(server.ended).toEqual(['finished']);
  });

  it('loses the call of who leaves', async () => {
    await using server = await startPlainServer({ firstRequestTimeoutMs: 60_000, keepAliveMs: 60_000 });
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      using client = await openRawSocket(server.port);
      client.send(whole({ body: leave }));
      await eventually(() => expect(server.bodies).toContain(leave));
      if (leave === 'end') client.socket.end();
      else client.socket.resetAndDestroy();
      await client.closed;
    }
    await eventually(() => expect(server.ended).toEqual(['lost', 'lost']));
    server.release();
  });
});

function whole(sent: Omit<Sent, 'what'>): Buffer {
  return Buffer.concat([headOf(sent), Buffer.from(sent.body)]);
}

function headOf({ path = GET, type = JSON_TYPE, body, more = '' }: Omit<Sent, 'what'>): Buffer {
  const length = Buffer.from(body).length;
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n${more}\r\n`,
  );
}

/** Returns status line, headers and body of the answer to a request that is sent in pieces. */
async function answerTo(toy: Toy, pieces: readonly Buffer[]): Promise<unknown> {
  using client = await openRawSocket(toy.port);
  for (const [i, piece] of pieces.entries()) {
    // Time for the one before to be read alone.
    if (i > 0) await sleep(30);
    client.send(piece);
  }
  await client.sees(END_OF_HEAD);
  // The answer is whole when the next one is.
  client.send(LAST_PAGE);
  const text = await client.closed;
  const head = text.slice(0, text.indexOf(END_OF_HEAD));
  const rest = text.slice(head.length + END_OF_HEAD.length);
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  const [statusLine, ...headers] = head.split('\r\n');
  return {
    statusLine,
    // Where the length is not told, it is in chunks.
    headers: headers.filter((line) => !/^(date|content-length|transfer-encoding):/i.test(line)).sort(),
    body: length === undefined ? unchunked(rest) : rest.slice(0, Number(length)),
  };
}

function unchunked(text: string): string {
  const size = Number.parseInt(text, 16);
  const at = text.indexOf('\r\n') + 2;
  return size === 0 ? '' : text.slice(at, at + size) + unchunked(text.slice(at + size + 2));
}

/** Starts a server of plain connections alone, whose calls are answered with their bodies once they are released. */
async function startPlainServer(times: Pick<PlainServer, 'firstRequestTimeoutMs' | 'keepAliveMs'>) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const bodies: string[] = [];
  const ended: string[] = [];
  const plain: PlainServer = {
    ...times,
    direct: {
      headOfPlain: () => ({}) as CallHead,
      openWhole: () =>
        ({ finish: () => ended.push('finished'), lose: () => ended.push('lost') }) as unknown as RpcCall,
      async serve(_head, _call, body, outlet) {
        bodies.push(body.toString());
        await released;
        outlet.begin(200, []);
        outlet.end(body);
      },
    },
    connectionHeaders: () => ({ lines: 'a: b\r\n', isLast: false }),
    handOver: (socket) => socket.destroy(),
    refuseIdle: (socket) => socket.end('too late'),
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    new PlainConnection(socket, { requests: 0, idleChecks: 0, isClosing: false }, plain);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    bodies,
    ended,
    release,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
