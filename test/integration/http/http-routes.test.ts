import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { curl } from './curl.ts';

const LIMIT = 65_536;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({ CONCORD_MAX_REQUEST_BYTES: String(LIMIT) });
});

afterAll(() => gateway[Symbol.asyncDispose]());

const ask = (method: string, path: string, options: Parameters<typeof curl>[3] = {}) =>
  curl(gateway.url, method, path, options);

describe('rpcs by plain HTTP', () => {
  it('write, read and list keys', async () => {
    const put = await ask('PUT', '/v1/kv/routes/a', { body: '{"value":"1"}' });
    expect(put).toMatchObject({ status: 200, contentType: 'application/json', json: { version: '1' } });
    expect((await ask('PUT', '/v1/kv/routes/b?value=2')).status).toBe(200);
    expect((await ask('GET', '/v1/kv/routes%2Fa')).json).toMatchObject({
      kv: { key: 'routes/a', value: '1' },
    });
    expect((await ask('GET', '/v1/kv?prefix=routes/&view=keys_only')).json).toMatchObject({
      kvs: [{ key: 'routes/a' }, { key: 'routes/b' }],
      totalSize: '2',
    });
    expect((await ask('DELETE', '/v1/kv?prefix=routes/')).json).toMatchObject({ deletedCount: '2' });
  });

  it('answer errors with their status, as Connect writes them', async () => {
    const { status, json } = await ask('GET', '/v1/kv/nowhere');
    expect(status).toBe(404);
    expect(json).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('nowhere'),
      details: [
        { type: 'google.rpc.ErrorInfo', debug: { reason: 'KEY_NOT_FOUND', metadata: { key: 'nowhere' } } },
      ],
    });
    expect(await ask('PUT', '/v1/kv/x', { body: '{"value":"1","expectedRevision":"5"}' })).toMatchObject({
      status: 409,
      json: { code: 'aborted' },
    });
  });

  it.each([
    ['GET', '/v1/kv?pageSize=5000', undefined, 400, 'FIELD_INVALID'],
    ['GET', '/v1/kv?nope=1', undefined, 400, 'REQUEST_MALFORMED'],
    ['GET', '/v1/kv?pageSize=many', undefined, 400, 'REQUEST_MALFORMED'],
    ['GET', '/v1/kv/%ff', undefined, 400, 'REQUEST_MALFORMED'],
    ['GET', '/v1/leases/none', undefined, 400, 'REQUEST_MALFORMED'],
    ['POST', '/v1/kv:txn', '{"success":[{"put":{}}]}', 400, 'FIELD_INVALID'],
    ['POST', '/v1/kv:txn', 'nonsense', 400, 'REQUEST_MALFORMED'],
    ['POST', '/v1/kv:txn', '{"nope":1}', 400, 'REQUEST_MALFORMED'],
    ['POST', '/v1/kv:txn', `{"x":"${'x'.repeat(LIMIT)}"}`, 429, 'REQUEST_TOO_LARGE'],
    ['PATCH', '/v1/kv/a', undefined, 405, 'REQUEST_MALFORMED'],
    ['GET', '/v1/nothing', undefined, 404, 'NOT_SUPPORTED'],
    ['GET', '/v2/kv/a', undefined, 404, 'NOT_SUPPORTED'],
  ])('say what is wrong with %s %s', async (method, path, body, status, reason) => {
    const answer = await ask(method, path, body === undefined ? {} : { body });
    expect(answer).toMatchObject({ status, json: { code: expect.any(String) } });
    expect(answer.body).toContain(`"reason":"${reason}"`);
  });

  it('have the deadline of their caller, and the gateway’s where it brings none', async () => {
    const held = await ask('POST', '/v1/locks/deadline:tryAcquire', { body: '{}' });
    expect(held.status).toBe(200);
    const waiting = await ask('POST', '/v1/locks/deadline:acquire', {
      body: '{}',
      headers: { 'connect-timeout-ms': '300' },
    });
    expect(waiting).toMatchObject({ status: 504, json: { code: 'deadline_exceeded' } });
  });

  it('take services, locks, elections, leases and configuration', async () => {
    const instance = { instance: { instanceId: 'i', host: 'h', port: 1 }, ttl: '60s' };
    expect(await ask('POST', '/v1/services/web/instances', { body: JSON.stringify(instance) })).toMatchObject(
      {
        status: 200,
      },
    );
    expect((await ask('GET', '/v1/services/web:pick?strategy=first')).json).toMatchObject({
      instance: { instanceId: 'i' },
    });
    expect((await ask('GET', '/v1/services/web/instances/i')).json).toMatchObject({
      instance: { host: 'h' },
    });
    const lease = (await ask('POST', '/v1/leases?ttl=60')).json as { readonly leaseId: string };
    expect((await ask('GET', `/v1/leases/${lease.leaseId}`)).json).toMatchObject({ grantedTtl: '60s' });
    expect(await ask('GET', '/v1/elections/none')).toMatchObject({ status: 404 });
    expect(await ask('PUT', '/v1/config/app/items/a/b?value=x&author=me')).toMatchObject({ status: 200 });
    expect((await ask('GET', '/v1/config/app/history/a/b')).json).toMatchObject({
      versions: [{ author: 'me' }],
    });
    expect((await ask('GET', '/v1/config/app/versions/1/a/b')).json).toMatchObject({
      version: { value: 'x' },
    });
    expect((await ask('GET', '/v1/config/app:resolve?profiles=prod')).json).toMatchObject({
      items: [{ item: { key: 'a/b' } }],
    });
  });

  it('let pages of allowed origins call, with every method that they have', async () => {
    await using open = await startGatewayOnEtcd({ CONCORD_CORS_ORIGINS: 'https://app.example.com' });
    const response = await fetch(`${open.url}/v1/kv/a`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-methods')).toMatch(/\bPUT\b.*\bDELETE\b/);
    expect(response.headers.get('access-control-allow-headers')).toContain('Last-Event-ID');
  });

  it('are logged and counted as the rpcs that they are', async () => {
    await ask('GET', '/v1/kv/counted', { headers: { 'x-request-id': 'by-http' } });
    expect(gateway.logLines).toContainEqual(
      expect.objectContaining({ requestId: 'by-http', reason: 'KEY_NOT_FOUND' }),
    );
  });
});
