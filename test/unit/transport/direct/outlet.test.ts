import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Http1Outlet, Http2Outlet, type Outlet } from '../../../../src/transport/direct/outlet.ts';

const CHUNK = Buffer.alloc(1 << 16);
const HEADERS = ['content-type', 'application/grpc'];

describe('the outlet of a call whose caller has left', () => {
  it('drops all that it is given, over HTTP/2', async () => {
    const server = createHttp2Server();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const sent = session.request({ ':method': 'POST' });
    sent.on('error', () => {});
    const [stream] = (await once(server, 'stream')) as [ServerHttp2Stream];
    stream.on('error', () => {});
    const outlet = new Http2Outlet(stream);
    outlet.begin(200, HEADERS, true);
    expect(outlet.hasBegun).toBe(true);
    await expectFreed(outlet, () => session.destroy(), stream);
    outlet.end(CHUNK, { 'grpc-status': '0' });
    outlet.destroy();
    const unbegun = new Http2Outlet(stream);
    unbegun.begin(200, HEADERS, true);
    unbegun.end();
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
  connection: ServerHttp2Stream | ServerResponse,
): Promise<void> {
  while (outlet.write([CHUNK])) await new Promise(setImmediate);
  const waiting = outlet.untilWritable();
  const closed = once(connection, 'close');
  leave();
  await Promise.all([waiting, closed]);
  expect(outlet.write([CHUNK])).toBe(true);
  await outlet.untilWritable();
}
