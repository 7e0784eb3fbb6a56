import { describe, expect, it } from 'vitest';
import type { HttpRoute, HttpRouteAnswer } from '../../../src/transport/http-route.ts';
import { openRawSocket, requestHttp2 } from './raw-http.ts';
import { startToy, type Toy } from './toy-server.ts';

const PAGE = { status: 200, contentType: 'text/plain', body: 'page' } as const;

describe('the headers of a plain answer', () => {
  it('are sent as the route gives them, beside those of every answer', async () => {
    await using toy = await startAnswering({ ...PAGE, headers: { etag: '"1"', vary: 'authorization' } });
    for (const { head } of await overEachProtocol(toy)) {
      expect(head).toMatchObject({
        etag: '"1"',
        vary: 'authorization',
        'cache-control': 'no-store',
        'content-type': 'text/plain',
        'content-length': '4',
        'x-request-id': expect.any(String),
      });
    }
  });

  it('forbid to store it, unless the route says otherwise', async () => {
    await using toy = await startAnswering({ ...PAGE, headers: { 'cache-control': 'max-age=60' } });
    for (const { head } of await overEachProtocol(toy)) expect(head['cache-control']).toBe('max-age=60');
  });
});

describe.each([204, 304])('a plain answer with the status %i', (status) => {
  const answer = { status, contentType: 'text/plain', body: 'left out', headers: { etag: '"1"' } };

  it('has neither body nor type nor length, over HTTP/1.1 and HTTP/2, for GET and HEAD', async () => {
    await using toy = await startAnswering(answer);
    for (const { what, head, body } of await overEachProtocol(toy)) {
      expect(head, what).toMatchObject({ ':status': status, etag: '"1"', 'cache-control': 'no-store' });
      const names = Object.keys(head);
      for (const name of ['content-type', 'content-length', 'transfer-encoding']) {
        expect(names, what).not.toContain(name);
      }
      expect(body, what).toBe('');
    }
  });

  it('leaves the connection of HTTP/1.1 usable', async () => {
    await using toy = await startAnswering(answer);
    using client = await openRawSocket(toy.port);
    client.send('GET /page HTTP/1.1\r\nHost: x\r\n\r\nHEAD /page HTTP/1.1\r\nHost: x\r\n\r\n');
    client.send('GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const received = await client.closed;
    const heads = received.split('\r\n\r\n');
    expect(heads.pop()).toBe('');
    expect(heads.map((head) => head.slice(0, 12))).toEqual(Array(3).fill(`HTTP/1.1 ${status}`));
  });

  it('ends the stream of HTTP/2 with its head', async () => {
    await using toy = await startAnswering(answer);
    const { endsWithHead } = await requestHttp2(toy.baseUrl, { ':method': 'GET', ':path': '/page' });
    expect(endsWithHead).toBe(true);
  });
});

function startAnswering(answer: HttpRouteAnswer): Promise<Toy> {
  const route: HttpRoute = async () => answer;
  return startToy({}, { httpRoutes: new Map([['/page', route]]) });
}

interface Received {
  readonly what: string;
  /** Names in lower case; `:status` is a number. */
  readonly head: Readonly<Record<string, unknown>>;
  readonly body: string;
}

async function overEachProtocol(toy: Toy): Promise<readonly Received[]> {
  return Promise.all(['GET', 'HEAD'].flatMap((method) => [overHttp1(toy, method), overHttp2(toy, method)]));
}

async function overHttp1({ port }: Toy, method: string): Promise<Received> {
  using client = await openRawSocket(port);
  client.send(`${method} /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const [head = '', ...rest] = (await client.closed).split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const status = Number(statusLine.split(' ')[1]);
  return {
    what: `HTTP/1.1 ${method}`,
    head: { ...Object.fromEntries(fields), ':status': status },
    body: rest.join('\r\n\r\n'),
  };
}

async function overHttp2({ baseUrl }: Toy, method: string): Promise<Received> {
  const { headers, body } = await requestHttp2(baseUrl, { ':method': method, ':path': '/page' });
  return { what: `HTTP/2 ${method}`, head: headers, body: body.toString() };
}
