import { describe, expect, it } from 'vitest';
import { DomainError, type ErrorReason } from '../../../src/domain/errors.ts';
import { reasonError } from '../../../src/rpc/checks/errors.ts';
import type { HttpRoute, HttpRouteRequest } from '../../../src/transport/http-route.ts';
import { wireErrorOf } from '../../support/wire-error.ts';
import { openRawSocket, requestHttp2 } from './raw-http.ts';
import { startToy } from './toy-server.ts';

function routes(route: HttpRoute) {
  return { httpRoutes: new Map([['/healthz', route]]) };
}

const healthy: HttpRoute = async () => ({ status: 200, contentType: 'text/plain', body: 'ok\n' });

describe('a plain route', () => {
  it('is given path, query and headers, and answers GET and HEAD', async () => {
    const requests: HttpRouteRequest[] = [];
    const route: HttpRoute = async (request) => {
      requests.push(request);
      return { status: 503, contentType: 'text/plain', body: Buffer.from('not ready\n') };
    };
    await using toy = await startToy({}, routes(route));
    const answers = [
      await fetch(`${toy.baseUrl}/healthz?verbose=1`, { headers: { 'x-probe': 'a' } }),
      await fetch(`${toy.baseUrl}/healthz`, { method: 'HEAD' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    expect(answers.map(({ headers }) => headers.get('content-length'))).toEqual(['10', '10']);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(['not ready\n', '']);
    expect(requests[0]).toMatchObject({ path: '/healthz', headers: { 'x-probe': 'a' } });
    expect(requests[0]?.query.get('verbose')).toBe('1');
  });

  it('takes no other method', async () => {
    await using toy = await startToy({}, routes(healthy));
    const response = await fetch(`${toy.baseUrl}/healthz`, { method: 'POST', body: 'x' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('is reached by a probe of HTTP/1.0, which names no host', async () => {
    await using toy = await startToy({}, routes(healthy));
    using client = await openRawSocket(toy.port);
    client.send('GET /healthz HTTP/1.0\r\n\r\n');
    expect(await client.closed).toMatch(/^HTTP\/1.1 200 OK.*ok\n$/s);
  });

  it('that fails is answered with the request id, under which the log has the cause', async () => {
    await using toy = await startToy(
      {},
      routes(() => Promise.reject(new Error('secret'))),
    );
    const response = await fetch(`${toy.baseUrl}/healthz`, { headers: { 'x-request-id': 'abc' } });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).toContain('"request_id":"abc"');
    expect(text).not.toContain('secret');
    expect(toy.logged).toMatchObject([{ level: 'error' }]);
  });

  it.each([
    ['STORE_UNAVAILABLE', 503],
    ['FIELD_INVALID', 400],
    ['KEY_NOT_FOUND', 404],
    ['STORE_PERMISSION_DENIED', 403],
    ['DEADLINE_EXCEEDED', 504],
  ] as const satisfies readonly (readonly [ErrorReason, number])[])(
    'that fails with the reason %s is answered as an rpc would be: %i',
    async (reason, status) => {
      const error = new DomainError(reason, 'It is so; do that', { key: 'a' });
      for (const thrown of [error, reasonError(reason, error.message, error.metadata)]) {
        await using toy = await startToy(
          {},
          routes(() => Promise.reject(thrown)),
        );
        const response = await fetch(`${toy.baseUrl}/healthz`);
        const answer = { status: response.status, headers: Object.fromEntries(response.headers) };
        const failure = wireErrorOf({ ...answer, trailers: {}, body: Buffer.from(await response.bytes()) });
        expect(failure).toMatchObject({ reason, message: 'It is so; do that', metadata: { key: 'a' } });
        expect(response.status).toBe(status);
        expect(toy.logged).toEqual([]);
      }
    },
  );

  it('that fails answers HEAD with the status alone', async () => {
    const failing = () => Promise.reject(new DomainError('STORE_UNAVAILABLE', 'It is so; do that'));
    await using toy = await startToy({}, routes(failing));
    const response = await fetch(`${toy.baseUrl}/healthz`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([503, '']);
    const answer = await requestHttp2(toy.baseUrl, { ':method': 'HEAD', ':path': '/healthz' });
    expect([answer.headers[':status'], answer.body.length]).toEqual([503, 0]);
  });
});
