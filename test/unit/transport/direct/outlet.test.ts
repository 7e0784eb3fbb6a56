import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Http1Outlet, type Outlet } from '../../../../src/transport/direct/outlet.ts';
import { Http2Connection } from '../../../../src/transport/http2/http2-connection.ts';
import type { Http2Stream } from '../../../../src/transport/http2/http2-stream.ts';

const CHUNK = Buffer.alloc(1 << 16);
const HEADERS = ['content-type', 'application/grpc'];

describe('the outlet of a call whose caller has left', () => {
  it('drops all that it is given, over HTTP/2', async () => {
    const opened = Promise.withResolvers<Http2Stream>();
    const server = createTcpServer((socket) => {
      const listener = { opened: (stream: Http2Stream) => opened.resolve(stream), failed() {} };
      new Http2Connection(socket, listener);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const sent = session.request({ ':method': 'POST' });
    sent.on('error', () => {});
    const stream = await opened.promise;
    stream.begin(200, HEADERS);
    expect(stream.hasBegun).toBe(true);
    await expectFreed(stream, () => session.destroy(), stream.connection.socket);
    stream.end(CHUNK, ['grpc-status', '0']);
    stream.destroy();
    expect(stream).toMatchObject({ isClosed: true, waitingBytes: 0 });
    server.close();
  });

  it('drops all that it is given, over HTTP/1.1', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sent = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    sent.on('error', () => {});
    sent.end();
    const [, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
    response.on('error', () => {});
    const outlet = new Http1Outlet(response, () => false);
    outlet.begin(200, HEADERS);
    expect(outlet.hasBegun).toBe(true);
    await expectFreed(outlet, () => sent.destroy(), response);
    outlet.end(CHUNK);
    outlet.destroy();
    server.close();
  });
});

/** Writes until no more is taken, lets the caller leave, and checks that nobody waits any longer. */
async function expectFreed(
  outlet: Outlet,
  leave: () => void,
  connection: Socket | ServerResponse,
): Promise<void> {
  while (outlet.write([CHUNK])) await new Promise(setImmediate);
  const waiting = outlet.untilWritable();
  const closed = once(connection, 'close');
  leave();
  await Promise.all([waiting, closed]);
  expect(outlet.write([CHUNK])).toBe(true);
  await outlet.untilWritable();
}
