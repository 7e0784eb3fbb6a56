import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { envelop } from '../../bench/load/envelope.ts';
import { openSubscribers } from '../../bench/load/subscribers.ts';
import type { WatchCall } from '../../bench/load/watch-call.ts';

/** Messages of one byte: the revision of their only event, or 0 in the one that comes first. */
const call: WatchCall = {
  path: '/test.Watch/Watch',
  request: new Uint8Array([1]),
  isRequestLast: true,
  checkFirst(message) {
    if (message[0] !== 0) throw new Error('not open');
  },
  countEvents: () => 1,
  readRevisions: ([revision = 0]) => [BigInt(revision)],
};
const SHAPE = { connections: 2, onEach: 3 } as const;
const options = { signal: new AbortController().signal };

function event(revision: number): Buffer {
  return envelop(new Uint8Array([revision]));
}

async function startWatchServer() {
  const streams: ServerHttp2Stream[] = [];
  const server = createServer();
  server.on('stream', (stream) => {
    streams.push(stream);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '14' }));
    stream.on('error', () => {});
    stream.write(event(0));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    streams,
    /** Sends to all, in parts of so many bytes. */
    async send(revisions: readonly number[], partBytes = 100): Promise<void> {
      const bytes = Buffer.concat(revisions.map(event));
      for (let start = 0; start < bytes.length; start += partBytes) {
        const part = bytes.subarray(start, start + partBytes);
        await Promise.all(streams.map((stream) => new Promise((resolve) => stream.write(part, resolve))));
      }
    },
    async [Symbol.asyncDispose]() {
      for (const stream of streams) stream.session?.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('subscribers', () => {
  it.each([1, 4, 7, 100])(
    'have received when each has got every event, in parts of %i bytes',
    async (partBytes) => {
      await using server = await startWatchServer();
      using subscribers = await openSubscribers(server.port, call, SHAPE, options);
      await Promise.all([subscribers.receive(3), server.send([7, 8, 9], partBytes)]);
      await Promise.all([subscribers.receive(1), server.send([10], partBytes)]);
    },
  );

  it('tell which event has come', async () => {
    await using server = await startWatchServer();
    using subscribers = await openSubscribers(server.port, call, { connections: 1, onEach: 2 }, options);
    await Promise.all([subscribers.receive(1), server.send([1])]);
    const told: number[] = [];
    const onEvent = (index: number) => told.push(index);
    await Promise.all([subscribers.receive(2, { onEvent }), server.send([2, 3])]);
    expect(told.toSorted()).toEqual([0, 0, 1, 1]);
  });

  it('fail when the first one of a connection gets a revision too late, or twice', async () => {
    await using server = await startWatchServer();
    for (const revisions of [
      [2, 1],
      [2, 2],
    ]) {
      using subscribers = await openSubscribers(server.port, call, SHAPE, options);
      await expect(Promise.all([subscribers.receive(2), server.send(revisions)])).rejects.toThrow(
        'came after 2',
      );
    }
  });

  it('fail when any other gets more events than were written', async () => {
    await using server = await startWatchServer();
    using subscribers = await openSubscribers(server.port, call, SHAPE, options);
    const received = subscribers.receive(1);
    server.streams.find(({ id }) => id !== 1)?.write(Buffer.concat([event(1), event(1)]));
    await expect(received).rejects.toThrow('more events than were written');
  });

  it('fail when a watch ends', async () => {
    await using server = await startWatchServer();
    using subscribers = await openSubscribers(server.port, call, SHAPE, options);
    const received = subscribers.receive(1);
    server.streams.at(-1)?.end();
    await expect(received).rejects.toThrow(/ended: .*grpc-status: 14/);
  });

  it('stop waiting on abort', async () => {
    await using server = await startWatchServer();
    const stop = new AbortController();
    using subscribers = await openSubscribers(server.port, call, SHAPE, { signal: stop.signal });
    const received = subscribers.receive(1);
    stop.abort(new Error('enough'));
    await expect(received).rejects.toThrow('enough');
  });
});
