import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openCaller } from '../../bench/load/caller.ts';
import { driveCycles } from '../../bench/load/drive-cycles.ts';
import { envelop } from '../../bench/load/envelope.ts';

const options = { signal: new AbortController().signal };
const FAILING_PATH = '/test.Service/Fail';

/** Answers each call with the path that it was called on. */
async function startPathServer() {
  const requests: IncomingHttpHeaders[] = [];
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    requests.push(headers);
    stream.resume();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': path === FAILING_PATH ? '5' : '0' }),
    );
    stream.on('error', () => {});
    stream.end(envelop(Buffer.from(path)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a caller', () => {
  it('calls any of 16 paths in any order, with the same headers each time', async () => {
    await using server = await startPathServer();
    using caller = await openCaller(server.port, options);
    const paths = Array.from({ length: 16 }, (_, index) => `/test.Service/Method${index}`);
    const called = [...paths.slice(0, 3), ...paths, ...paths.toReversed(), ...paths];
    const answers = await Promise.all(called.map((path) => caller.call(path, Buffer.from('message'))));
    expect(answers.map(String)).toEqual(called);
    for (const headers of server.requests) {
      expect(headers[':authority']).toBe(`127.0.0.1:${server.port}`);
      expect(headers['content-type']).toBe('application/grpc');
      expect(headers['te']).toBe('trailers');
    }
  });

  it('sends more than the first window takes', async () => {
    await using server = await startPathServer();
    using caller = await openCaller(server.port, options);
    const message = Buffer.alloc(10_000);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => caller.call('/test.Service/Method', message)),
    );
    expect(answers).toHaveLength(50);
  });

  it('is of no use after a call that failed', async () => {
    await using server = await startPathServer();
    using caller = await openCaller(server.port, options);
    await expect(caller.call(FAILING_PATH, Buffer.alloc(0))).rejects.toThrow('grpc-status: 5');
    await expect(caller.call('/test.Service/Method', Buffer.alloc(0))).rejects.toThrow('grpc-status: 5');
  });

  it('fails what is open on abort', async () => {
    await using server = await startPathServer();
    const stop = new AbortController();
    using caller = await openCaller(server.port, { signal: stop.signal });
    const called = caller.call('/test.Service/Method', Buffer.alloc(0));
    stop.abort(new Error('enough'));
    await expect(called).rejects.toThrow('enough');
  });
});

describe('cycles', () => {
  it('run one after the other for each client, and are counted', async () => {
    await using server = await startPathServer();
    const begun: number[] = [];
    let open = 0;
    let closed = 0;
    const openClient = async () => {
      let isRunning = false;
      open += 1;
      return {
        async run(index: number) {
          expect(isRunning).toBe(false);
          isRunning = true;
          begun.push(index);
          await new Promise((resolve) => setImmediate(resolve));
          isRunning = false;
        },
        async close() {
          closed += 1;
        },
      };
    };
    const perSecond = await driveCycles(
      server.port,
      openClient,
      { connections: 2, inFlight: 3 },
      0.1,
      options,
    );
    expect([open, closed]).toEqual([6, 6]);
    expect(begun).toEqual(begun.map((_, index) => index));
    expect(perSecond * 0.1).toBeGreaterThan(0);
    expect(perSecond * 0.1).toBeLessThanOrEqual(begun.length);
  });

  it('fail with the first call that fails', async () => {
    await using server = await startPathServer();
    const driven = driveCycles(
      server.port,
      async (caller) => ({
        run: async () => void (await caller.call(FAILING_PATH, Buffer.alloc(0))),
        close: async () => {},
      }),
      { connections: 1, inFlight: 2 },
      0.1,
      options,
    );
    await expect(driven).rejects.toThrow('grpc-status: 5');
  });
});
