import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Http2Stream } from '../../../../src/transport/http2/http2-stream.ts';
import { CODE, MAX_STREAM_ID } from '../../../../src/transport/http2/protocol.ts';
import { eventually } from '../../../support/eventually.ts';
import { ACK, END_STREAM, FRAME, frame } from '../../../support/http2-frames.ts';
import { type Http2Socket, openHttp2Socket } from '../../../support/open-http2-socket.ts';
import { envelope } from '../raw-http.ts';
import { heldCheck, startToy } from '../toy-server.ts';
import { answering, startHttp2Server } from './start-http2-server.ts';

const CHECK = '/grpc.health.v1.Health/Check';
const GRPC = { headers: [['content-type', 'application/grpc']], hasBody: true } as const;
/** So long that no drain ends by its time-out. */
const PATIENT = { drainTimeoutMs: 120_000 };

/** The last streams that GOAWAYs say are served. */
function announced(client: Http2Socket): readonly number[] {
  return client.of(FRAME.goaway).map(({ payload }) => payload.readUInt32BE(0));
}

/** Answers the ping that asks whether the client knows that the connection ends. */
function answerPing(client: Http2Socket): void {
  client.send(frame(FRAME.ping, { flags: ACK, payload: Buffer.alloc(8) }));
}

function check(client: Http2Socket, stream: number): void {
  client.request(stream, CHECK, GRPC);
  client.data(stream, envelope(Buffer.alloc(0)), { flags: END_STREAM });
}

describe('a drain of HTTP/2', () => {
  it('serves what is under way, and what is opened before the client knows; then it refuses, and closes', async () => {
    const { check: held, release } = heldCheck();
    await using toy = await startToy({ check: held }, PATIENT);
    using client = await openHttp2Socket(toy.port);
    check(client, 1);
    await client.settled();
    const drained = toy.server.drain();
    await eventually(() => expect(announced(client)).toEqual([MAX_STREAM_ID]));
    check(client, 3);
    answerPing(client);
    await eventually(() => expect(announced(client)).toEqual([MAX_STREAM_ID, 3]));
    check(client, 5);
    await client.settled();
    release();
    expect(await client.closed()).toBe(CODE.noError);
    await drained;
    expect([1, 3, 5].map(client.isEnded)).toEqual([true, true, false]);
    expect(toy.seen).toHaveLength(2);
  });

  it('closes an idle connection as soon as its client knows', async () => {
    await using toy = await startToy({}, PATIENT);
    using client = await openHttp2Socket(toy.port);
    await client.settled();
    const drained = toy.server.drain();
    await eventually(() => expect(announced(client)).toHaveLength(1));
    answerPing(client);
    await client.closed();
    await drained;
    expect(announced(client)).toEqual([MAX_STREAM_ID, 0]);
  });

  it('closes a connection whose client says nothing', async () => {
    await using toy = await startToy({}, PATIENT);
    using client = await openHttp2Socket(toy.port);
    await client.settled();
    await toy.server.drain();
    expect(await client.closed()).toBe(CODE.noError);
  });
});

describe('a connection that closes', () => {
  it('gives a client that is slow to read all of its last answers', async () => {
    const streams: Http2Stream[] = [];
    await using server = await startHttp2Server((stream) => void streams.push(stream));
    using client = await openHttp2Socket(server.port);
    const ids = Array.from({ length: 5_000 }, (_, n) => 2 * n + 1);
    for (const id of ids) client.request(id, '/');
    await eventually(() => expect(streams).toHaveLength(ids.length));
    client.socket.pause();
    // More than systems keep for their processes.
    for (const stream of streams) stream.beginAndEnd(200, ['x', 'y'.repeat(4_000)]);
    const [connection] = server.connections;
    connection?.close();
    expect(connection?.socket.writableLength).toBeGreaterThan(0);
    // Longer than a client may take to close its side, once it has everything.
    await delay(1_500);
    client.socket.resume();
    expect(await client.closed()).toBe(CODE.noError);
    expect(ids.every(client.isEnded)).toBe(true);
  });

  it('does not wait for a client that does not close its side', async () => {
    await using server = await startHttp2Server(answering(Buffer.alloc(1)));
    using client = await openHttp2Socket(server.port);
    client.socket.allowHalfOpen = true;
    await client.settled();
    for (const connection of server.connections) {
      connection.close();
      connection.close();
    }
    await eventually(() => expect(server.connections[0]?.socket.destroyed).toBe(true));
    expect(announced(client)).toEqual([0]);
  });
});
