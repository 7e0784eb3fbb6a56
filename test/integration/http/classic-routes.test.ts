import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { curl } from './curl.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(() => gateway[Symbol.asyncDispose]());

async function ask(method: string, path: string, body?: string): Promise<Record<string, unknown>> {
  const { status, json } = await curl(gateway.url, method, path, body === undefined ? {} : { body });
  return { status, ...(json as Record<string, unknown>) };
}

const query = (fields: Readonly<Record<string, string>>) => new URLSearchParams(fields).toString();

describe('the classic routes of keys', () => {
  it('write, read and delete a key', async () => {
    const put = await ask('PUT', '/etcd/kv/classic/a?value=one%20two');
    expect(put).toMatchObject({ status: 200, success: true, key: 'classic/a', version: 1 });
    expect(await ask('GET', '/etcd/kv/classic/a')).toMatchObject({
      status: 200,
      success: true,
      key: 'classic/a',
      value: 'one two',
      modRevision: put['revision'],
    });
    const gone = { status: 200, success: true, key: 'classic/a' };
    expect(await ask('DELETE', '/etcd/kv/classic/a')).toMatchObject({ ...gone, deleted: true });
    expect(await ask('DELETE', '/etcd/kv/classic/a')).toMatchObject({ ...gone, deleted: false });
    expect(await ask('GET', '/etcd/kv/classic/a')).toEqual({
      status: 404,
      success: false,
      code: 'not_found',
      reason: 'KEY_NOT_FOUND',
      message: expect.stringContaining('classic/a'),
    });
  });

  it('list by prefix, page by page', async () => {
    for (const name of ['1', '2', '3']) await ask('PUT', `/etcd/kv/pages/${name}?value=${name}`);
    const first = await ask('GET', '/etcd/kv/prefix/pages/?pageSize=2');
    expect(first).toMatchObject({ prefix: 'pages/', count: 3, data: { 'pages/1': '1', 'pages/2': '2' } });
    const rest = await ask(
      'GET',
      `/etcd/kv/prefix/pages/?${query({ pageSize: '2', pageToken: String(first['nextPageToken']) })}`,
    );
    expect(rest).toMatchObject({ data: { 'pages/3': '3' } });
    expect(rest).not.toHaveProperty('nextPageToken');
    const all = await ask('GET', '/etcd/kv/prefix/');
    expect(all).toMatchObject({ prefix: '', data: expect.objectContaining({ 'pages/1': '1' }) });
  });

  it('write many keys at one revision', async () => {
    const { revision } = await ask('POST', '/etcd/kv/batch', '{"many/a":"1","many/b":{"x":2},"many/c":3}');
    expect(revision).toBeTypeOf('number');
    expect(await ask('GET', '/etcd/kv/prefix/many/')).toMatchObject({
      data: { 'many/a': '1', 'many/b': '{"x":2}', 'many/c': '3' },
    });
    expect(await ask('GET', '/etcd/kv/many/a')).toMatchObject({ modRevision: revision });
    expect(await ask('GET', '/etcd/kv/many/c')).toMatchObject({ modRevision: revision });
  });

  it.each([
    ['prefix%2Fx', 'prefix/x'],
    ['batch', 'batch'],
    ['with%20spaces%20in', 'with spaces in'],
    ['a%2Fb%2Fc', 'a/b/c'],
    ['%E4%BD%A0%E5%A5%BD/%C3%BC', '你好/ü'],
    ['50%25', '50%'],
    ['a//b', 'a//b'],
    ['%2Fleading', '/leading'],
    ['/also-leading', '/also-leading'],
    ['trailing/', 'trailing/'],
    ['a/../b', 'a/../b'],
    ['q%3Fmark%23hash', 'q?mark#hash'],
    ['a+b', 'a+b'],
    ['with:colon', 'with:colon'],
  ])('take the key %s as %s', async (path, key) => {
    const value = encodeURIComponent(`value of ${key}`);
    expect(await ask('PUT', `/etcd/kv/${path}?value=${value}`)).toMatchObject({ status: 200, key });
    expect(await ask('GET', `/etcd/kv/${path}`)).toMatchObject({ key, value: `value of ${key}` });
    expect(await ask('DELETE', `/etcd/kv/${path}`)).toMatchObject({ key, deleted: true });
  });

  it('take prefix/x as a key where it is written or deleted, and as a prefix where it is read', async () => {
    expect(await ask('PUT', '/etcd/kv/prefix/x?value=1')).toMatchObject({ key: 'prefix/x' });
    expect(await ask('GET', '/etcd/kv/prefix/x')).toMatchObject({ prefix: 'x' });
    expect(await ask('GET', '/etcd/kv/prefix%2Fx')).toMatchObject({ key: 'prefix/x', value: '1' });
    expect(await ask('DELETE', '/etcd/kv/prefix/x')).toMatchObject({ key: 'prefix/x', deleted: true });
  });

  it('let a key end with the lease of its own', async () => {
    const { leaseId } = await ask('PUT', '/etcd/kv/short?value=x&ttl=60');
    expect(leaseId).toBeTypeOf('number');
    expect(await ask('GET', `/etcd/lease/${leaseId}`)).toMatchObject({ grantedTtl: 60, keys: ['short'] });
  });

  it.each([
    ['PUT', '/etcd/kv/x', undefined, 400, 'The query parameter "value" is missing'],
    ['PUT', '/etcd/kv/?value=x', undefined, 400, 'key'],
    ['POST', '/etcd/kv/batch', '[1]', 400, 'The body is no JSON object'],
    ['POST', '/etcd/kv/batch', '{', 400, 'The body is not JSON'],
    ['GET', '/etcd/kv/prefix/x?pageToken=nonsense', undefined, 400, 'page token'],
  ])('say what is wrong with %s %s %s', async (method, path, body, status, message) => {
    expect(await ask(method, path, body)).toMatchObject({
      status,
      success: false,
      code: 'invalid_argument',
      message: expect.stringContaining(message),
    });
  });
});

describe('the classic routes of services', () => {
  const info = JSON.stringify({ host: '10.0.0.1', port: 8080, zone: 'a', team: 'blue', status: 'up' });

  it('register, find and take out an instance', async () => {
    const register = query({ serviceName: 'web', instanceId: 'web-1', instanceInfo: info, ttl: '60' });
    const registered = await ask('POST', `/etcd/service/register?${register}`);
    expect(registered).toEqual({
      status: 200,
      success: true,
      serviceName: 'web',
      instanceId: 'web-1',
      leaseId: expect.any(Number),
      message: expect.stringContaining('web-1'),
    });
    const instance = {
      serviceName: 'web',
      instanceId: 'web-1',
      host: '10.0.0.1',
      port: 8080,
      zone: 'a',
      status: 'UP',
      metadata: { team: 'blue' },
      leaseId: registered['leaseId'],
    };
    expect(await ask('GET', '/etcd/service/discover/web')).toMatchObject({
      serviceName: 'web',
      count: 1,
      instances: [instance],
    });
    expect(await ask('GET', '/etcd/service/first/web')).toMatchObject({ success: true, ...instance });
    expect(await ask('GET', '/etcd/service/list')).toMatchObject({
      count: 1,
      services: [{ serviceName: 'web', instanceCount: 1, upCount: 1 }],
    });
    expect(await ask('GET', `/etcd/lease/${registered['leaseId']}`)).toMatchObject({
      grantedTtl: 60,
      autoRenewed: true,
    });
    const out = query({ serviceName: 'web', instanceId: 'web-1' });
    expect(await ask('DELETE', `/etcd/service/unregister?${out}`)).toMatchObject({ unregistered: true });
    expect(await ask('DELETE', `/etcd/service/unregister?${out}`)).toMatchObject({ unregistered: false });
    expect(await ask('GET', '/etcd/service/discover/web')).toMatchObject({ count: 0, instances: [] });
    expect(await ask('GET', '/etcd/service/first/web')).toMatchObject({ status: 404, success: false });
  });

  it.each([
    ['serviceName=web', 'instanceInfo'],
    [`instanceInfo=${encodeURIComponent(info)}`, 'serviceName'],
    ['serviceName=web&instanceInfo=no', 'not JSON'],
    [`serviceName=web&instanceInfo=${encodeURIComponent('{"host":"h"}')}`, 'port'],
    [`serviceName=web&ttl=soon&instanceInfo=${encodeURIComponent(info)}`, 'Duration'],
  ])('say what is wrong with register?%s', async (fields, message) => {
    expect(await ask('POST', `/etcd/service/register?${fields}`)).toMatchObject({
      status: 400,
      success: false,
      message: expect.stringContaining(message),
    });
  });
});

describe('the classic routes of configuration', () => {
  it('write, read, list and delete items', async () => {
    expect(await ask('PUT', '/etcd/config/shop/db/url?value=postgres%3A%2F%2Fdb')).toMatchObject({
      success: true,
      application: 'shop',
      key: 'db/url',
      value: 'postgres://db',
      version: 1,
    });
    expect(await ask('GET', '/etcd/config/shop/db/url')).toMatchObject({
      value: 'postgres://db',
      version: 1,
    });
    const batch = await ask('POST', '/etcd/config/shop/batch', '{"port":8080,"debug":true,"name":"shop"}');
    expect(batch).toMatchObject({ success: true, application: 'shop', count: 3 });
    expect(await ask('GET', '/etcd/config/shop/port')).toMatchObject({
      value: '8080',
      contentType: 'number',
    });
    expect(await ask('GET', '/etcd/config/shop')).toMatchObject({
      count: 4,
      data: { 'db/url': 'postgres://db', port: '8080', debug: 'true', name: 'shop' },
    });
    expect(await ask('PUT', '/etcd/config/shop/port?value=many')).toMatchObject({
      status: 400,
      reason: 'CONFIG_VALUE_INVALID',
    });
    expect(await ask('DELETE', '/etcd/config/shop/port')).toMatchObject({ key: 'port', deleted: true });
    expect(await ask('GET', '/etcd/config/shop/port')).toMatchObject({ status: 404, success: false });
  });

  it('take another profile, and an item named batch', async () => {
    expect(await ask('PUT', '/etcd/config/other/batch?value=1&profile=prod')).toMatchObject({
      profile: 'prod',
    });
    expect(await ask('GET', '/etcd/config/other/batch?profile=prod')).toMatchObject({ value: '1' });
    expect(await ask('GET', '/etcd/config/other')).toMatchObject({ count: 0, data: {} });
  });
});

describe('the classic routes of leases', () => {
  it('grant, renew, look at and revoke one', async () => {
    const { leaseId } = await ask('POST', '/etcd/lease/grant?ttl=60');
    expect(leaseId).toBeTypeOf('number');
    expect(await ask('POST', `/etcd/lease/keepalive/${leaseId}`)).toMatchObject({
      success: true,
      leaseId,
      ttl: 60,
    });
    expect(await ask('GET', `/etcd/lease/${leaseId}`)).toMatchObject({
      leaseId,
      grantedTtl: 60,
      keys: [],
      autoRenewed: false,
    });
    expect(await ask('DELETE', `/etcd/lease/${leaseId}`)).toMatchObject({ success: true, leaseId });
    for (const [method, path] of [
      ['GET', `/etcd/lease/${leaseId}`],
      ['POST', `/etcd/lease/keepalive/${leaseId}`],
      ['DELETE', `/etcd/lease/${leaseId}`],
    ] as const)
      expect(await ask(method, path)).toMatchObject({
        status: 404,
        success: false,
        reason: 'LEASE_NOT_FOUND',
      });
  });

  it('say what is wrong with an id that is none', async () => {
    expect(await ask('GET', '/etcd/lease/abc')).toMatchObject({ status: 400, success: false });
    expect(await ask('POST', '/etcd/lease/grant?ttl=-1')).toMatchObject({ status: 400, success: false });
  });
});
