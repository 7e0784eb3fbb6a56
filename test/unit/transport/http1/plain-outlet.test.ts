import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { PlainOutlet } from '../../../../src/transport/http1/plain-outlet.ts';

const HEADERS = ['content-type', 'application/json'];
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const LARGE = Buffer.alloc(1 << 20, 'x');

describe('the answer to a plain request', () => {
  it.each([
    ['a small body', [], Buffer.from('{"é":1}')],
    ['a large body', [], LARGE],
    ['no body', [], undefined],
    ['a body in parts', [Buffer.from('a'), Buffer.from('b')], Buffer.from('c')],
    ['a body that was written', [Buffer.from('a')], undefined],
  ])('is sent whole, with its length: %s', async (_, written, last) => {
    await using ends = await connectEnds();
    const received = text(ends.client);
    const { promise: sent, resolve } = Promise.withResolvers<unknown>();
    const outlet = new PlainOutlet(ends.socket, () => ({ lines: 'a: b\r\n', isLast: true }), resolve);
    outlet.begin(200, HEADERS);
    expect(outlet.write(written)).toBe(true);
    await outlet.untilWritable();
    outlet.end(last);
    expect(await sent).toBeFalsy();
    const body = Buffer.concat([...written, ...(last === undefined ? [] : [last])]);
    expect(await received).toBe(`${HEAD}content-length: ${body.length}\r\na: b\r\n\r\n${body}`);
  });

  it('leaves the connection open where it is not the last, and is one where another was begun', async () => {
    await using ends = await connectEnds();
    let received = '';
    ends.client.on('data', (chunk) => {
      received += chunk;
    });
    for (const body of ['first', 'second']) {
      const outlet = new PlainOutlet(
        ends.socket,
        () => ({ lines: '', isLast: false }),
        () => {},
      );
      expect(outlet.hasBegun).toBe(false);
      outlet.begin(500, ['content-length', '1']);
      expect(outlet.hasBegun).toBe(true);
      outlet.write([Buffer.from('?')]);
      outlet.begin(200, HEADERS);
      outlet.end(Buffer.from(body));
    }
    const expected = `${HEAD}content-length: 5\r\n\r\nfirst${HEAD}content-length: 6\r\n\r\nsecond`;
    while (received.length < expected.length) await once(ends.client, 'data');
    expect(received).toBe(expected);
  });

  it('is dropped where the caller has left', async () => {
    await using ends = await connectEnds();
    ends.socket.on('error', () => {});
    const closed = new Promise((resolve) => ends.socket.once('close', resolve));
    ends.client.resetAndDestroy();
    ends.socket.resume();
    await closed;
    const outlet = new PlainOutlet(
      ends.socket,
      () => ({ lines: '', isLast: false }),
      () => expect.unreachable(),
    );
    outlet.begin(200, HEADERS);
    expect(outlet.write([LARGE])).toBe(true);
    outlet.end(LARGE);
    outlet.destroy();
  });
});

/** Returns the ends of a connection: that of the server, and that of the client. */
async function connectEnds(): Promise<
  AsyncDisposable & { readonly socket: Socket; readonly client: Socket }
> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  return {
    socket,
    client,
    async [Symbol.asyncDispose]() {
      for (const end of [client, socket]) end.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
