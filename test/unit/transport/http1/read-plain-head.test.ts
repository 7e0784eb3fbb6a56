import { createServer, type IncomingHttpHeaders } from 'node:http';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPlainHead } from '../../../../src/transport/http1/read-plain-head.ts';
import { mutated } from '../../../support/random-messages.ts';

const LINE = 'POST /a.v1.B/C?d=e HTTP/1.1\r\n';
const HOST = 'Host: a:1\r\n';
const LENGTH = 'content-length: 3\r\n';

describe('readPlainHead', () => {
  it('reads path, headers and length', () => {
    const head = readPlainHead(
      `${LINE}${HOST}${LENGTH}Content-Type:application/json\r\nX-Odd_1~: "a, b"\t; c\r\nconnection: Keep-Alive\r\n`,
    );
    expect(head?.path).toBe('/a.v1.B/C?d=e');
    expect(head?.contentLength).toBe(3);
    expect({ ...head?.headers }).toEqual({
      host: 'a:1',
      'content-length': '3',
      'content-type': 'application/json',
      'x-odd_1~': '"a, b"\t; c',
      connection: 'Keep-Alive',
    });
  });

  it.each([
    ['nothing', ''],
    ['an empty line first', `\r\n${LINE}${HOST}${LENGTH}`],
    ['another method', `${LINE.replace('POST', 'PUT')}${HOST}${LENGTH}`],
    ['HTTP/1.0', `${LINE.replace('1.1', '1.0')}${HOST}${LENGTH}`],
    ['a target with a host', `${LINE.replace('/a.', 'http://a/a.')}${HOST}${LENGTH}`],
    ['two spaces', `${LINE.replace(' /', '  /')}${HOST}${LENGTH}`],
    ['a line that ends with LF', `${LINE}host: a\n${LENGTH}`],
    ['a line that ends with CR', `${LINE}host: a\r${LENGTH}`],
    ['no host', `${LINE}${LENGTH}`],
    ['two hosts', `${LINE}${HOST}${LENGTH}${HOST}`],
    ['no length', `${LINE}${HOST}`],
    ['two lengths', `${LINE}${HOST}${LENGTH}${LENGTH}`],
    ['a list of lengths', `${LINE}${HOST}content-length: 3, 3\r\n`],
    ['a length with a sign', `${LINE}${HOST}content-length: +3\r\n`],
    ['a length with a zero first', `${LINE}${HOST}content-length: 03\r\n`],
    ['a length in hexadecimal', `${LINE}${HOST}content-length: 0x3\r\n`],
    ['a length that is too long', `${LINE}${HOST}content-length: 1000000000\r\n`],
    ['chunks', `${LINE}${HOST}${LENGTH}transfer-encoding: chunked\r\n`],
    ['chunks alone', `${LINE}${HOST}Transfer-Encoding: chunked\r\n`],
    ['an expectation', `${LINE}${HOST}${LENGTH}Expect: 100-continue\r\n`],
    ['another protocol', `${LINE}${HOST}${LENGTH}upgrade: h2c\r\n`],
    ['the end of the connection', `${LINE}${HOST}${LENGTH}connection: close\r\n`],
    ['a list for the connection', `${LINE}${HOST}${LENGTH}connection: keep-alive, x\r\n`],
    ['a header twice', `${LINE}${HOST}${LENGTH}a: 1\r\nA: 1\r\n`],
    ['a header without a value', `${LINE}${HOST}${LENGTH}a:\r\n`],
    ['a header without a name', `${LINE}${HOST}${LENGTH}: a\r\n`],
    ['a header without a colon', `${LINE}${HOST}${LENGTH}a\r\n`],
    ['a space before the colon', `${LINE}${HOST}content-length : 3\r\n`],
    ['a space at the end', `${LINE}${HOST}content-length: 3 \r\n`],
    ['two spaces before the value', `${LINE}${HOST}content-length:  3\r\n`],
    ['a header that goes on', `${LINE}${HOST}${LENGTH}a: b\r\n c: d\r\n`],
    ['a NUL', `${LINE}${HOST}${LENGTH}a: b\u0000c\r\n`],
    ['what is not ASCII', `${LINE}${HOST}${LENGTH}a: b\u00e9\r\n`],
    ['half a line', `${LINE}${HOST}${LENGTH}a: b`],
  ])('leaves alone what has %s', (_, text) => {
    expect(readPlainHead(text)).toBeUndefined();
  });

  it('takes what it takes as Node.js does', async () => {
    const whole = Buffer.from(
      `${LINE}${HOST}${LENGTH}Content-Type: application/json\r\nx-a: b\r\nx-c: d e\r\nconnection: keep-alive\r\n`,
    );
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(mutated(whole), async (bytes) => {
        const text = bytes.toString('latin1');
        const head = readPlainHead(text);
        if (head === undefined) return;
        taken += 1;
        const { path, headers, contentLength } = head;
        expect(await readByNode(`${text}\r\n${'x'.repeat(Math.min(contentLength, 1_000))}`)).toEqual({
          path,
          headers: { ...headers },
        });
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

/** Returns how Node.js understands a request; undefined where it refuses it. */
async function readByNode(
  text: string,
): Promise<{ readonly path: string; readonly headers: IncomingHttpHeaders } | undefined> {
  const [client, socket] = duplexPair();
  try {
    return await new Promise((resolve) => {
      const server = createServer(({ url = '', headers }) => resolve({ path: url, headers }));
      server.on('clientError', () => resolve(undefined));
      server.emit('connection', socket);
      client.write(text, 'latin1');
    });
  } finally {
    client.destroy();
    socket.destroy();
  }
}
