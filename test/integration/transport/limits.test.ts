import { connect as connectHttp2 } from 'node:http2';
import { Code } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS_BOTH_WAYS } from '../../support/protocols.ts';
import { envelope, openRawSocket, requestHttp2 } from './raw-http.ts';
import { aborted, startToy, type Toy } from './toy-server.ts';

const STREAMING = PROTOCOLS_BOTH_WAYS.filter(({ name }) => !name.includes('GET'));
const CHECK = '/grpc.health.v1.Health/Check';
const MIB = 1 << 20;
const DEFAULT_TIMEOUT_MS = 10_000;
const END_OF_CHUNKS = '0\r\n\r\n';

describe('the limit of streams', () => {
  it.each(STREAMING)(
    'refuses one too many, and leaves the others and unary calls alone, over $name',
    async (protocol) => {
      await using toy = await startToy({}, { maxStreams: 2 });
      const health = toy.health(protocol);
      const leave = new AbortController();
      const open = [1, 2].map(() => health.watch({}, { signal: leave.signal })[Symbol.asyncIterator]());
      for (const stream of open) await stream.next();
      const refused = await failureOf(health.watch({})[Symbol.asyncIterator]().next());
      expect(refused).toMatchObject({
        code: 'ResourceExhausted',
        reason: 'LIMIT_REACHED',
        metadata: { limit: '2' },
      });
      expect((await health.check({})).status).toBe(1);
      expect(toy.seen.map(({ outcomes }) => outcomes[0]?.reason)).toEqual([
        undefined,
        undefined,
        'LIMIT_REACHED',
        undefined,
      ]);
      await eventually(() => expect(toy.server.stats().streams).toBe(2));

      leave.abort();
      for (const stream of open) await expect(stream.next()).rejects.toThrow();
      await eventually(() => expect(toy.server.stats().streams).toBe(0));
      expect((await health.watch({})[Symbol.asyncIterator]().next()).value?.status).toBe(1);
    },
  );
});

describe('a time-out', () => {
  it.each([
    ['grpc-timeout', 'application/grpc', '99999999H'],
    ['grpc-timeout', 'application/grpc', '2147484S'],
    ['grpc-timeout', 'application/grpc-web', '99999999S'],
    ['connect-timeout-ms', 'application/json', '9999999999'],
    ['connect-timeout-ms', 'application/json', '2147483648'],
    ['connect-timeout-ms', 'application/json', '99999999999999'],
  ])('is none where it is longer than a timer can be: %s for %s: %s', async (header, contentType, value) => {
    const timeouts: unknown[] = [];
    await using toy = await startToy({
      check: async (_service, context) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        timeouts.push(context.timeoutMs(), context.signal.aborted);
        return { status: 1 };
      },
    });
    const body = contentType === 'application/json' ? Buffer.from('{}') : envelope(Buffer.alloc(0));
    await requestHttp2(toy.baseUrl, { ':path': CHECK, 'content-type': contentType, [header]: value }, body);
    expect(timeouts).toEqual([undefined, false]);
    expect(toy.seen[0]?.outcomes).toMatchObject([{ code: undefined }]);
  });

  it.each(PROTOCOLS_BOTH_WAYS)(
    'reaches the handler and ends the call with a reason, over $name',
    async (protocol) => {
      await using toy = await startToy({ check: (_service, { signal }) => aborted(signal) });
      // The caller waits longer than it says, so that it is the server that gives up.
      const timeout = protocol.name.startsWith('gRPC')
        ? { 'grpc-timeout': '20m' }
        : { 'connect-timeout-ms': '20' };
      const failure = await failureOf(toy.health(protocol).check({}, { headers: timeout }));
      expect(failure).toMatchObject({ code: 'DeadlineExceeded', reason: 'DEADLINE_EXCEEDED' });
      await eventually(() =>
        expect(toy.seen[0]?.outcomes).toMatchObject([
          { code: Code.DeadlineExceeded, reason: 'DEADLINE_EXCEEDED' },
        ]),
      );
    },
  );

  it.each(STREAMING)(
    'is the default one where a unary call brings none, and none for a stream, over $name',
    async (protocol) => {
      const timeouts: (number | undefined)[] = [];
      await using toy = await startToy(
        {
          check: async (_service, context) => {
            timeouts.push(context.timeoutMs());
            return { status: 1 };
          },
          async *watch(_service, context) {
            timeouts.push(context.timeoutMs());
            yield { status: 1 };
          },
        },
        { defaultTimeoutMs: DEFAULT_TIMEOUT_MS },
      );
      const health = toy.health(protocol);
      await health.check({});
      await health.check({}, { timeoutMs: 60_000 });
      await health.watch({})[Symbol.asyncIterator]().next();
      const [byDefault = 0, asked = 0, ofStream] = timeouts;
      // What is left of them when the handler begins.
      expect(byDefault > 0 && byDefault <= DEFAULT_TIMEOUT_MS).toBe(true);
      expect(asked > DEFAULT_TIMEOUT_MS && asked <= 60_000).toBe(true);
      expect([timeouts.length, ofStream]).toEqual([3, undefined]);
    },
  );
});

describe('a request that does not come', () => {
  const partly = Buffer.of(0, 0, 0, 0, 9, 1);

  it.each(['application/grpc', 'application/grpc-web', 'application/proto', 'application/json'])(
    'is given up at the deadline of the call: %s',
    async (contentType) => {
      await using toy = await startToy();
      const timeout = contentType.includes('grpc')
        ? { 'grpc-timeout': '50m' }
        : { 'connect-timeout-ms': '50' };
      await expectGivenUp(toy, { ':path': CHECK, 'content-type': contentType, ...timeout }, partly);
    },
  );

  it.each(['/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch'])(
    'is given up in any case: %s',
    async (path) => {
      await using toy = await startToy({}, { requestTimeoutMs: 50 });
      await expectGivenUp(toy, { ':path': path, 'content-type': 'application/grpc' }, partly);
    },
  );

  it('is given up over HTTP/1.1', async () => {
    await using toy = await startToy({}, { requestTimeoutMs: 50 });
    using client = await openRawSocket(toy.port);
    client.send(
      `POST ${CHECK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    );
    expect(await client.sees('DEADLINE_EXCEEDED')).toMatch(/^HTTP\/1.1 504/);
  });

  async function expectGivenUp(
    toy: Toy,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
  ): Promise<void> {
    const session = connectHttp2(toy.baseUrl);
    const stream = session.request({ ':method': 'POST', ...headers });
    stream.on('error', () => {});
    stream.write(body);
    stream.resume();
    await eventually(() => expect(toy.seen[0]?.outcomes).toMatchObject([{ reason: 'DEADLINE_EXCEEDED' }]));
    expect(toy.server.stats().calls).toBe(0);
    session.destroy();
  }
});

describe('a request that is too large', () => {
  const size = 8 * MIB;

  it.each([
    [
      'a length',
      `Content-Type: application/json\r\nContent-Length: ${size}\r\n\r\n`,
      (chunk: Buffer) => chunk,
    ],
    ['chunks', 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n', chunked],
    [
      'an envelope',
      `Content-Type: application/grpc-web\r\nContent-Length: ${size}\r\n\r\n`,
      (chunk: Buffer) => chunk,
    ],
    [
      'chunks, an envelope',
      'Content-Type: application/grpc-web\r\nTransfer-Encoding: chunked\r\n\r\n',
      chunked,
    ],
  ])(
    'gets its answer over HTTP/1.1 although the caller sends all of it first: %s',
    async (_name, head, frame) => {
      await using toy = await startToy({}, { maxRequestBytes: MIB });
      using client = await openRawSocket(toy.port);
      const socket = client.socket.pause();
      socket.write(`POST ${CHECK} HTTP/1.1\r\nHost: x\r\n${head}`);
      for (let sent = 0; sent < size; sent += MIB / 4) {
        const chunk = frame(Buffer.alloc(MIB / 4, 0x20));
        if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
      }
      if (frame === chunked) socket.write(END_OF_CHUNKS);
      expect(socket.errored).toBeNull();
      socket.resume();
      const answer = await client.closed;
      expect(answer).toMatch(/REQUEST_TOO_LARGE|grpc-status: 8/);
      expect(answer).toMatch(/connection: close/i);
      expect(toy.seen[0]?.outcomes).toMatchObject([
        { code: Code.ResourceExhausted, reason: 'REQUEST_TOO_LARGE' },
      ]);
    },
  );

  it.each([0, 1, 5])('is refused to the byte: %s over the limit', async (more) => {
    await using toy = await startToy({}, { maxRequestBytes: 1_000 });
    const json = Buffer.from('{}'.padEnd(1_000 + more));
    for (const [contentType, body] of [
      ['application/json', json],
      ['application/grpc+json', envelope(json)],
    ] as const)
      await requestHttp2(toy.baseUrl, { ':path': CHECK, 'content-type': contentType }, body);
    const reason = more === 0 ? undefined : 'REQUEST_TOO_LARGE';
    await eventually(() =>
      expect(toy.seen.map(({ outcomes }) => outcomes[0]?.reason)).toEqual([reason, reason]),
    );
  });

  it('does not wear out an HTTP/2 connection', async () => {
    await using toy = await startToy({}, { maxRequestBytes: 1_000 });
    const session = connectHttp2(toy.baseUrl);
    const body = Buffer.concat([envelope(Buffer.alloc(0)), Buffer.alloc(200_000, 1)]);
    const send = (message: Buffer) =>
      new Promise<string>((resolve, reject) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': CHECK,
          'content-type': 'application/grpc',
        });
        stream.on('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
        stream.on('error', reject);
        stream.resume();
        stream.end(message);
      });
    for (let i = 0; i < 40; i++) {
      const statuses = await Promise.all(Array.from({ length: 5 }, () => send(body)));
      expect(statuses).toEqual(Array(5).fill('8'));
    }
    expect(await send(envelope(Buffer.alloc(0)))).toBe('0');
    session.destroy();
  });

  it('leaves a keep-alive connection usable where what is left is small', async () => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    for (let i = 0; i < 3; i++) {
      client.send('POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
      client.send(' '.repeat(1_000));
      await eventually(() => expect(client.received.toString().match(/NOT_SUPPORTED/g)).toHaveLength(i + 1));
    }
    expect(client.received.toString()).not.toMatch(/connection: close/i);
  });
});

function chunked(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
}
