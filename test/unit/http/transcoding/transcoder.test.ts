import { describe, expect, it } from 'vitest';
import { ConfigService } from '../../../../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { ElectionService } from '../../../../gen/concord/election/v1/election_service_pb.ts';
import { KvService } from '../../../../gen/concord/kv/v1/kv_service_pb.ts';
import { LeaseService } from '../../../../gen/concord/lease/v1/lease_service_pb.ts';
import { LockService } from '../../../../gen/concord/lock/v1/lock_service_pb.ts';
import { createTranscoder } from '../../../../src/http/transcoding/create-transcoder.ts';
import { readHttpBindings } from '../../../../src/http/transcoding/http-bindings.ts';
import { failureOf } from '../../../support/failure-of.ts';

const SERVICES = [KvService, LeaseService, LockService, ElectionService, DiscoveryService, ConfigService];
const transcode = createTranscoder(SERVICES);

/** The rpc and the request that a call by HTTP comes to. */
function called(method: string, target: string, body = '', lastEventId?: string) {
  const { pathname: path, searchParams: query } = new URL(`http://x${target}`);
  const call = transcode(method, path);
  if (call === undefined || 'allow' in call) return call;
  const request = call.request({ query, body: new TextEncoder().encode(body), lastEventId });
  return { rpc: call.rpcPath.split('.').at(-1), request: JSON.parse(request) as unknown };
}

describe('a call by HTTP', () => {
  it.each([
    ['GET', '/v1/kv/a/b', 'KvService/Get', { key: 'a/b' }],
    [
      'GET',
      '/v1/kv/a?min_revision=5&encoding=bytes',
      'KvService/Get',
      { key: 'a', minRevision: '5', encoding: 'ENCODING_BYTES' },
    ],
    [
      'GET',
      '/v1/kv/a?consistency=CONSISTENCY_SERIALIZABLE',
      'KvService/Get',
      { key: 'a', consistency: 'CONSISTENCY_SERIALIZABLE' },
    ],
    ['GET', '/v1/kv/a?consistency=2', 'KvService/Get', { key: 'a', consistency: 2 }],
    ['GET', '/v1/kv?prefix=x&pageSize=5', 'KvService/List', { prefix: 'x', pageSize: '5' }],
    ['GET', '/v1/kv:batchGet?keys=a&keys=b', 'KvService/BatchGet', { keys: ['a', 'b'] }],
    ['DELETE', '/v1/kv/a?return_previous', 'KvService/Delete', { key: 'a', returnPrevious: true }],
    ['DELETE', '/v1/kv/a?returnPrevious=false', 'KvService/Delete', { key: 'a', returnPrevious: false }],
    ['POST', '/v1/leases?ttl=1.5', 'LeaseService/Grant', { ttl: '1.5s' }],
    ['POST', '/v1/leases?ttl=10s', 'LeaseService/Grant', { ttl: '10s' }],
    ['GET', '/v1/leases/7', 'LeaseService/Get', { leaseId: '7' }],
    ['GET', '/v1/locks/a/b', 'LockService/Get', { name: 'a/b' }],
    ['GET', '/v1/locks/a/b:watch', 'LockService/Watch', { name: 'a/b' }],
    [
      'GET',
      '/v1/services/web/instances?filter.zones=a&filter.zones=b',
      'DiscoveryService/Discover',
      { service: 'web', filter: { zones: ['a', 'b'] } },
    ],
    ['GET', '/v1/services:watch', 'DiscoveryService/Watch', {}],
    [
      'GET',
      '/v1/config/a/versions/3/k',
      'ConfigService/GetVersion',
      { application: 'a', version: '3', key: 'k' },
    ],
  ])('%s %s', (method, target, rpc, request) => {
    expect(called(method, target)).toEqual({ rpc, request });
  });

  it('takes the fields of its body, those of the query beside them, and those of the path before all', () => {
    const body = JSON.stringify({ value: 'v', leaseId: '7', key: 'ignored' });
    expect(called('PUT', '/v1/kv/k?returnPrevious=true', body)).toEqual({
      rpc: 'KvService/Put',
      request: { key: 'k', value: 'v', leaseId: '7', returnPrevious: true },
    });
    const instance = JSON.stringify({ instance: { instanceId: 'i', host: 'h' }, ttl: '5s' });
    expect(called('POST', '/v1/services/web/instances?instance.metadata.zone=a', instance)).toEqual({
      rpc: 'DiscoveryService/Register',
      request: {
        instance: { service: 'web', instanceId: 'i', host: 'h', metadata: { zone: 'a' } },
        ttl: '5s',
      },
    });
  });

  it('goes on where an event source was, if the rpc can', () => {
    expect(called('GET', '/v1/kv:watch?prefix=a', '', 'token')).toMatchObject({
      request: { resumeToken: 'token' },
    });
    expect(called('GET', '/v1/kv/a', '', 'token')).toMatchObject({ request: { key: 'a' } });
    // It comes back to the address where it began; only one of the two may be set.
    expect(called('GET', '/v1/kv:watch?prefix=a&startRevision=5', '', 'token')).toEqual({
      rpc: 'KvService/Watch',
      request: { prefix: 'a', resumeToken: 'token' },
    });
  });

  it.each([
    ['GET', '/v1/kv/a?nope=1', '', 'The request has no field "nope"'],
    ['GET', '/v1/services/web/instances?filter.nope=1', '', 'The request has no field "filter.nope"'],
    [
      'GET',
      '/v1/services/web/instances?filter=x',
      '',
      'The field "filter" cannot be written in a URL; send it in the body',
    ],
    ['POST', '/v1/kv:txn', '{', 'The body is not JSON'],
    ['POST', '/v1/kv:txn', '[1]', 'The body is no JSON object'],
    ['GET', '/v1/kv/a', '{}', 'The request takes no body; use the query'],
  ])('%s %s %s is malformed', async (method, target, body, message) => {
    expect(await failureOf((async () => called(method, target, body))())).toMatchObject({
      reason: 'REQUEST_MALFORMED',
      message: expect.stringContaining(message),
    });
  });

  it('says which methods a path takes', () => {
    expect(called('PATCH', '/v1/kv/a')).toEqual({ allow: ['DELETE', 'GET', 'PUT'] });
    expect(called('GET', '/v2/kv/a')).toBeUndefined();
  });
});

describe('the annotations', () => {
  const bindings = readHttpBindings(SERVICES);

  it('reach every rpc', () => {
    const reached = new Set(bindings.map(({ method }) => method));
    const all = SERVICES.flatMap(({ methods }) => methods);
    expect(all.filter((method) => !reached.has(method)).map(({ name }) => name)).toEqual([]);
  });

  it('never mean two rpcs by one method and path', () => {
    const seen = bindings.map(({ httpMethod, path }) => `${httpMethod} ${path.replaceAll(/\{[^}=]*/g, '{')}`);
    expect(seen.filter((each, i) => seen.indexOf(each) !== i)).toEqual([]);
  });

  it('read with GET what has no effect, and change nothing with it', () => {
    const changing = bindings.filter(
      ({ httpMethod, method }) => httpMethod === 'GET' && method.idempotency !== 1,
    );
    expect(changing.map(({ method }) => method.toString())).toEqual([]);
  });

  it('name fields that there are', () => {
    for (const { method, template } of bindings)
      for (const path of template.fields) {
        const [name = ''] = path.split('.');
        expect(
          method.input.fields.some((field) => field.name === name),
          `${method.name} ${path}`,
        ).toBe(true);
      }
  });
});
