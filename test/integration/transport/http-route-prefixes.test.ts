import { describe, expect, it } from 'vitest';
import type { HttpRoute } from '../../../src/transport/http-route.ts';
import { openRawSocket, requestHttp2 } from './raw-http.ts';
import { startToy, type Toy } from './toy-server.ts';

describe('a plain route whose path ends with a slash', () => {
  it.each([
    ['/pages/', '/pages/'],
    ['/pages/a', '/pages/'],
    ['/pages/a/b/c?q=1', '/pages/'],
    ['/pages//', '/pages/'],
    ['/pages/exact', '/pages/exact'],
    ['/pages/exact/', '/pages/'],
    ['/pages/more/a', '/pages/more/'],
    ['/pages/more/', '/pages/more/'],
    ['/pages/more', '/pages/'],
    ['/pages/moreover', '/pages/'],
  ])('takes what is below it: %s is answered by %s', async (path, answeredBy) => {
    await using toy = await startNamed('/pages/', '/pages/exact', '/pages/more/');
    expect(await answerOf(toy, path)).toEqual({ status: 200, text: answeredBy });
  });

  it.each(['/pages', '/page/', '/Pages/a', '/a/pages/', '/'])('does not take %s', async (path) => {
    await using toy = await startNamed('/pages/');
    expect(await answerOf(toy, path)).toMatchObject({ status: 404 });
  });

  it('goes before one with a shorter path, in whichever order they are given', async () => {
    for (const paths of [
      ['/', '/a/', '/a/b/'],
      ['/a/b/', '/a/', '/'],
    ]) {
      await using toy = await startNamed(...paths);
      const answers = await Promise.all(['/x', '/a/x', '/a/b/x'].map((path) => answerOf(toy, path)));
      expect(answers.map(({ text }) => text)).toEqual(['/', '/a/', '/a/b/']);
    }
  });

  it('takes no rpc away, and no other method than GET and HEAD', async () => {
    await using toy = await startNamed('/');
    const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    const call = await fetch(`${toy.baseUrl}/grpc.health.v1.Health/Check`, json);
    expect(await call.json()).toEqual({ status: 'SERVING' });
    const response = await fetch(`${toy.baseUrl}/a`, json);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('is given the path as it was sent, in whichever form', async () => {
    const paths: string[] = [];
    const route: HttpRoute = async ({ path }) => {
      paths.push(path);
      return { status: 204, contentType: '', body: '' };
    };
    await using toy = await startToy({}, { httpRoutes: new Map([['/pages/', route]]) });
    const path = '/pages/a%2Fb/%zz/./../%C3%A9';
    for (const target of [path, `${path}?q=1`, `http://x${path}`, `HTTP://x:1${path}?q=1`]) {
      using client = await openRawSocket(toy.port);
      client.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await client.sees('\r\n\r\n'), target).toMatch(/^HTTP\/1.1 204 /);
    }
    await requestHttp2(toy.baseUrl, { ':method': 'GET', ':path': path });
    expect(paths).toEqual(Array(5).fill(path));
  });
});

/** Starts a server on which each route answers with its own path. */
function startNamed(...paths: readonly string[]): Promise<Toy> {
  const named = paths.map((path): readonly [string, HttpRoute] => [
    path,
    async () => ({ status: 200, contentType: 'text/plain', body: path }),
  ]);
  return startToy({}, { httpRoutes: new Map(named) });
}

async function answerOf({ baseUrl }: Toy, path: string) {
  const response = await fetch(baseUrl + path);
  return { status: response.status, text: await response.text() };
}
