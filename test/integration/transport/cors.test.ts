import { cors } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { startToy, type Toy } from './toy-server.ts';

const CHECK = '/grpc.health.v1.Health/Check';
const ORIGIN = 'https://console.example';

describe('a server with an allow-list of origins', () => {
  const options = { corsOrigins: [ORIGIN, 'http://localhost:5173'] };

  it('answers a preflight from an allowed origin', async () => {
    await using toy = await startToy({}, options);
    const response = await preflight(toy, ORIGIN);
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(response.headers.get('access-control-max-age')).toBe('7200');
    expect(response.headers.get('vary')).toBe('Origin');
    expect(listed(response, 'access-control-allow-methods')).toEqual(expect.arrayContaining(['get', 'post']));
    const allowed = [...cors.allowedHeaders, 'authorization', 'x-request-id', 'x-user-agent', 'grpc-timeout'];
    expect(listed(response, 'access-control-allow-headers')).toEqual(
      expect.arrayContaining(allowed.map((name) => name.toLowerCase())),
    );
    expect(toy.seen).toEqual([]);
  });

  it.each([
    ['an answer', CHECK, { 'content-type': 'application/json' }, 200],
    ['an error of an rpc', CHECK, { 'content-type': 'application/json', 'connect-timeout-ms': 'x' }, 400],
    ['a wrong content type', CHECK, { 'content-type': 'text/plain' }, 415],
    ['an unknown path', '/none', { 'content-type': 'application/json' }, 404],
    ['an unknown path of gRPC-Web', '/none', { 'content-type': 'application/grpc-web' }, 200],
  ])('lets an allowed page read %s', async (_name, path, headers, status) => {
    await using toy = await startToy({}, options);
    const response = await fetch(toy.baseUrl + path, {
      method: 'POST',
      headers: { ...headers, origin: ORIGIN },
      body: '{}',
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    const exposed = [...cors.exposedHeaders, 'x-request-id', 'grpc-status-details-bin'];
    expect(listed(response, 'access-control-expose-headers')).toEqual(
      expect.arrayContaining(exposed.map((name) => name.toLowerCase())),
    );
  });

  it.each(['https://evil.example', 'null', `${ORIGIN}.evil.example`])(
    'gives no CORS header to %s',
    async (origin) => {
      await using toy = await startToy({}, options);
      const headers = { 'content-type': 'application/json', origin };
      const answers = [
        await preflight(toy, origin),
        await fetch(toy.baseUrl + CHECK, { method: 'POST', headers, body: '{}' }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([204, 200]);
      for (const answer of answers)
        expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    },
  );
});

describe('a server that allows all origins', () => {
  it('lets any page read', async () => {
    await using toy = await startToy({}, { corsOrigins: '*' });
    expect((await preflight(toy, 'https://any.example')).headers.get('access-control-allow-origin')).toBe(
      '*',
    );
  });
});

function preflight(toy: Toy, origin: string): Promise<Response> {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  };
  return fetch(toy.baseUrl + CHECK, { method: 'OPTIONS', headers });
}

function listed(response: Response, name: string): readonly string[] {
  return (response.headers.get(name) ?? '').toLowerCase().split(', ');
}
