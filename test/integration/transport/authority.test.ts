import { describe, expect, it } from 'vitest';
import { openRawSocket, requestHttp2 } from './raw-http.ts';
import { startToy } from './toy-server.ts';

const CHECK = '/grpc.health.v1.Health/Check';

describe('a request without a valid authority', () => {
  it.each([
    ['HTTP/1.1 without Host', `POST ${CHECK} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`],
    ['HTTP/1.1 with an empty Host', `POST ${CHECK} HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n`],
    ['HTTP/1.1 with Host: [', `POST ${CHECK} HTTP/1.1\r\nHost: [\r\nContent-Length: 0\r\n\r\n`],
    ['HTTP/1.1 with Host: a b', `POST ${CHECK} HTTP/1.1\r\nHost: a b\r\nContent-Length: 0\r\n\r\n`],
    ['HTTP/1.1 with a path in Host', `POST ${CHECK} HTTP/1.1\r\nHost: a/b\r\nContent-Length: 0\r\n\r\n`],
    [
      'HTTP/1.1 with a port out of range',
      `POST ${CHECK} HTTP/1.1\r\nHost: a:99999\r\nContent-Length: 0\r\n\r\n`,
    ],
    ['HTTP/1.0 without Host', `POST ${CHECK} HTTP/1.0\r\nContent-Length: 0\r\n\r\n`],
    ['HTTP/1.1 on an unknown path', 'GET //[ HTTP/1.1\r\nHost: [\r\n\r\n'],
  ])('is answered with 400 and a reason: %s', async (_name, request) => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    client.send(request);
    const answer = await client.sees('REQUEST_MALFORMED');
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(JSON.parse(answer.slice(answer.indexOf('{')))).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('host'),
      details: [{ type: 'google.rpc.ErrorInfo' }],
    });
    expect(toy.seen).toEqual([]);
    await expect(toyIsUp(toy.baseUrl)).resolves.toBe(true);
  });

  it.each(['[', 'a b', 'a/b', 'ä'])(
    'is answered with 400 and a reason: HTTP/2 with :authority: %s',
    async (authority) => {
      await using toy = await startToy();
      const headers = { ':path': CHECK, ':authority': authority, 'content-type': 'application/grpc' };
      const answer = await requestHttp2(toy.baseUrl, headers).catch((error: unknown) => error);
      // What nghttp2 itself takes for malformed, it resets the stream for.
      if (answer instanceof Error) expect(answer.message).toMatch(/PROTOCOL_ERROR/);
      else expect(answer).toMatchObject({ headers: { ':status': 400 } });
      await expect(toyIsUp(toy.baseUrl)).resolves.toBe(true);
    },
  );

  it('and one with an odd target does no harm', async () => {
    await using toy = await startToy();
    for (const target of [
      '*',
      '//[',
      '/%',
      '/\\',
      'http://[',
      'about:blank',
      '?',
      '/grpc.health.v1.Health/Check/',
    ]) {
      using client = await openRawSocket(toy.port);
      client.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      expect(await client.sees('"reason":'), target).toMatch(/^HTTP\/1.1 40[04] /);
    }
    await expect(toyIsUp(toy.baseUrl)).resolves.toBe(true);
  });

  it('closes the connection of a client that does not speak HTTP', async () => {
    await using toy = await startToy();
    for (const nonsense of [
      'SSH-2.0-OpenSSH_9.2\r\n',
      '\x16\x03\x01\x02\x00\x01',
      'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
      'POST / HTTP/9.9\r\n\r\n',
    ]) {
      using client = await openRawSocket(toy.port);
      client.send(Buffer.from(nonsense, 'latin1'));
      await client.closed;
    }
    await expect(toyIsUp(toy.baseUrl)).resolves.toBe(true);
  });
});

async function toyIsUp(baseUrl: string): Promise<boolean> {
  const headers = { 'content-type': 'application/json' };
  return (await fetch(baseUrl + CHECK, { method: 'POST', headers, body: '{}' })).ok;
}
