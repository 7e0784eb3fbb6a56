// What each classic route asks of which rpc, and what it makes of the answer.

import { reasonError } from '../../rpc/checks/errors.ts';
import type { HttpInput } from '../transcoding/create-transcoder.ts';

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A request of a classic route. */
export interface ClassicRequest extends HttpInput {
  /** What the path names. */
  readonly params: Readonly<Record<string, string>>;
}

/** One route. */
export interface ClassicRoute {
  readonly httpMethod: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** A path template. A key that begins like another route is written with `%2F`: `/etcd/kv/prefix%2Fx`. */
  readonly path: string;
  /** Such as `/concord.kv.v1.KvService/Get`. */
  readonly rpcPath: string;
  /** Returns the request of the rpc. Throws REQUEST_MALFORMED. */
  request(request: ClassicRequest): Fields;
  /** Returns what is answered, besides `success`. */
  answer(response: Fields, request: Pick<ClassicRequest, 'params' | 'query'>): Fields;
}

const KV = '/concord.kv.v1.KvService';
const DISCOVERY = '/concord.discovery.v1.DiscoveryService';
const CONFIG = '/concord.config.v1.ConfigService';
const LEASE = '/concord.lease.v1.LeaseService';
const DEFAULT_TTL = '60';
const MAX_PAGE_SIZE = 1_000;
const INSTANCE_FIELDS = new Set(['host', 'port', 'metadata', 'tags', 'version', 'zone', 'weight', 'status']);

/** All classic routes. */
export const CLASSIC_ROUTES: readonly ClassicRoute[] = [
  {
    httpMethod: 'PUT',
    path: '/etcd/kv/{key=**}',
    rpcPath: `${KV}/Put`,
    request: ({ params, query }) => ({
      key: params['key'],
      value: required(query, 'value'),
      ...ttlIn(query),
    }),
    answer: ({ revision, version, leaseId }, { params }) => ({
      key: params['key'],
      revision: numberIn(revision),
      version: numberIn(version),
      ...(leaseId !== undefined && { leaseId: numberIn(leaseId) }),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/kv/{key=**}',
    rpcPath: `${KV}/Get`,
    request: ({ params }) => ({ key: params['key'] }),
    answer: ({ kv }, { params }) => ({ key: params['key'], ...keyValue(kv) }),
  },
  {
    httpMethod: 'DELETE',
    path: '/etcd/kv/{key=**}',
    rpcPath: `${KV}/Delete`,
    request: ({ params }) => ({ key: params['key'] }),
    answer: ({ revision, deleted }, { params }) => ({
      key: params['key'],
      deleted: deleted === true,
      revision: numberIn(revision),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/kv/prefix/{prefix=**}',
    rpcPath: `${KV}/List`,
    request: ({ params, query }) => ({ prefix: params['prefix'], ...pageIn(query) }),
    answer: ({ kvs, totalSize, nextPageToken, revision }, { params }) => ({
      prefix: params['prefix'],
      count: numberIn(totalSize),
      // A key or value that is not UTF-8 is given in base64, under the name that it has in the contract.
      data: Object.fromEntries(
        list(kvs).map((kv) => [kv['key'] ?? kv['keyBytes'], kv['value'] ?? kv['valueBytes'] ?? '']),
      ),
      revision: numberIn(revision),
      ...(nextPageToken !== undefined && { nextPageToken }),
    }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/kv/batch',
    rpcPath: `${KV}/BatchPut`,
    request: ({ body }) => ({
      entries: entriesIn(body).map(([key, value]) => ({ key, value: asText(value) })),
    }),
    answer: ({ revision }) => ({ revision: numberIn(revision) }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/service/register',
    rpcPath: `${DISCOVERY}/Register`,
    request: ({ query }) => ({
      instance: {
        ...instanceIn(query.get('instanceInfo')),
        service: required(query, 'serviceName'),
        instance_id: query.get('instanceId') ?? '',
      },
      ttl: `${query.get('ttl') ?? DEFAULT_TTL}s`,
      liveness: 'LIVENESS_MANAGED',
    }),
    answer: ({ instance, leaseId }) => {
      const { service, instanceId } = fieldsIn(instance);
      return {
        serviceName: service,
        instanceId,
        leaseId: numberIn(leaseId),
        message: `instance "${String(instanceId)}" of service "${String(service)}" is registered`,
      };
    },
  },
  {
    httpMethod: 'DELETE',
    path: '/etcd/service/unregister',
    rpcPath: `${DISCOVERY}/Unregister`,
    request: ({ query }) => ({
      service: required(query, 'serviceName'),
      instance_id: required(query, 'instanceId'),
    }),
    answer: ({ unregistered }, { query }) => ({
      serviceName: query.get('serviceName'),
      instanceId: query.get('instanceId'),
      unregistered: unregistered === true,
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/service/discover/{service}',
    rpcPath: `${DISCOVERY}/Discover`,
    request: ({ params }) => ({ service: params['service'] }),
    answer: ({ instances, stale }, { params }) => ({
      serviceName: params['service'],
      count: list(instances).length,
      instances: list(instances).map(instanceFields),
      ...(stale === true && { stale }),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/service/list',
    rpcPath: `${DISCOVERY}/ListServices`,
    request: ({ query }) => pageIn(query),
    answer: ({ services, nextPageToken }) => ({
      count: list(services).length,
      services: list(services).map(({ name, instanceCount = 0, upCount = 0 }) => ({
        serviceName: name,
        instanceCount,
        upCount,
      })),
      ...(nextPageToken !== undefined && { nextPageToken }),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/service/first/{service}',
    rpcPath: `${DISCOVERY}/Pick`,
    request: ({ params }) => ({ service: params['service'], strategy: 'STRATEGY_FIRST' }),
    answer: ({ instance }) => instanceFields(fieldsIn(instance)),
  },
  {
    httpMethod: 'PUT',
    path: '/etcd/config/{application}/{key=**}',
    rpcPath: `${CONFIG}/Put`,
    request: ({ params, query }) => ({ ...params, value: required(query, 'value'), ...profileIn(query) }),
    answer: ({ item }) => itemFields(fieldsIn(item)),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/config/{application}/{key=**}',
    rpcPath: `${CONFIG}/Get`,
    request: ({ params, query }) => ({ ...params, ...profileIn(query) }),
    answer: ({ item }) => itemFields(fieldsIn(item)),
  },
  {
    httpMethod: 'DELETE',
    path: '/etcd/config/{application}/{key=**}',
    rpcPath: `${CONFIG}/Delete`,
    request: ({ params, query }) => ({ ...params, ...profileIn(query) }),
    answer: ({ revision, deleted }, { params }) => ({
      ...params,
      deleted: deleted === true,
      revision: numberIn(revision),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/config/{application}',
    rpcPath: `${CONFIG}/List`,
    request: ({ params, query }) => ({ ...params, ...pageIn(query), ...profileIn(query) }),
    answer: ({ items, totalSize, nextPageToken, revision }, { params }) => ({
      ...params,
      count: numberIn(totalSize),
      data: Object.fromEntries(
        list(items).map(({ key, value, valueBytes }) => [key, value ?? valueBytes ?? '']),
      ),
      revision: numberIn(revision),
      ...(nextPageToken !== undefined && { nextPageToken }),
    }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/config/{application}/batch',
    rpcPath: `${CONFIG}/Publish`,
    request: ({ params, query, body }) => ({
      ...params,
      ...profileIn(query),
      puts: entriesIn(body).map(([key, value]) => ({ key, value: asText(value), ...contentTypeOf(value) })),
    }),
    answer: ({ revision, changes }, { params }) => ({
      ...params,
      count: list(changes).length,
      revision: numberIn(revision),
    }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/lease/grant',
    rpcPath: `${LEASE}/Grant`,
    request: ({ query }) => ({ ttl: `${query.get('ttl') ?? DEFAULT_TTL}s` }),
    answer: ({ leaseId, ttl }) => ({ leaseId: numberIn(leaseId), ttl: secondsIn(ttl) }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/lease/keepalive/{lease_id}',
    rpcPath: `${LEASE}/Renew`,
    request: ({ params }) => params,
    answer: ({ ttl }, { params }) => ({ leaseId: numberIn(params['lease_id']), ttl: secondsIn(ttl) }),
  },
  {
    httpMethod: 'DELETE',
    path: '/etcd/lease/{lease_id}',
    rpcPath: `${LEASE}/Revoke`,
    request: ({ params }) => params,
    answer: ({ revision }, { params }) => ({
      leaseId: numberIn(params['lease_id']),
      revision: numberIn(revision),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/lease/{lease_id}',
    rpcPath: `${LEASE}/Get`,
    request: ({ params }) => params,
    answer: ({ grantedTtl, remainingTtl, keys, autoRenewed }, { params }) => ({
      leaseId: numberIn(params['lease_id']),
      grantedTtl: secondsIn(grantedTtl),
      remainingTtl: secondsIn(remainingTtl),
      keys: Array.isArray(keys) ? keys : [],
      autoRenewed: autoRenewed === true,
    }),
  },
];

function required(query: URLSearchParams, name: string): string {
  const text = query.get(name);
  if (text === null) throw reasonError('REQUEST_MALFORMED', `The query parameter "${name}" is missing`);
  return text;
}

function ttlIn(query: URLSearchParams): Fields {
  const ttl = query.get('ttl');
  return ttl === null ? {} : { ttl: `${ttl}s` };
}

function profileIn(query: URLSearchParams): Fields {
  const profile = query.get('profile');
  return profile === null ? {} : { profile };
}

function pageIn(query: URLSearchParams): Fields {
  const pageToken = query.get('pageToken');
  const pageSize = query.get('pageSize') ?? MAX_PAGE_SIZE;
  return { page_size: pageSize, ...(pageToken !== null && { page_token: pageToken }) };
}

/** A JSON object of keys and values. */
function entriesIn(body: Uint8Array): readonly (readonly [string, unknown])[] {
  return Object.entries(jsonObject('The body', new TextDecoder().decode(body)));
}

/** What is no field of an instance is metadata of it. */
function instanceIn(text: string | null): Fields {
  const info = jsonObject('The query parameter "instanceInfo"', text ?? '');
  const known = Object.entries(info).filter(([name]) => INSTANCE_FIELDS.has(name));
  const unknown = Object.entries(info).filter(
    ([name]) => !INSTANCE_FIELDS.has(name) && !['service', 'serviceName', 'instanceId'].includes(name),
  );
  const metadata = Object.entries({ ...Object.fromEntries(unknown), ...fieldsIn(info['metadata']) });
  return {
    ...Object.fromEntries(known),
    ...(typeof info['status'] === 'string' && { status: statusOf(info['status']) }),
    metadata: Object.fromEntries(metadata.map(([name, value]) => [name, asText(value)])),
  };
}

function statusOf(status: string): string {
  const name = status.toUpperCase();
  return name.startsWith('STATUS_') ? name : `STATUS_${name}`;
}

function jsonObject(what: string, text: string): Fields {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Fields;
  } catch (error) {
    throw reasonError('REQUEST_MALFORMED', `${what} is not JSON`, {}, error);
  }
  throw reasonError('REQUEST_MALFORMED', `${what} is no JSON object`);
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A text leaves the type of an item as it is. */
function contentTypeOf(value: unknown): Fields {
  switch (typeof value) {
    case 'number':
      return { content_type: 'CONTENT_TYPE_NUMBER' };
    case 'boolean':
      return { content_type: 'CONTENT_TYPE_BOOLEAN' };
    case 'string':
      return {};
    default:
      return { content_type: 'CONTENT_TYPE_JSON' };
  }
}

/** Numbers of 64 bits are texts in the JSON of Protobuf; one that a number cannot hold stays one. */
function numberIn(value: unknown): unknown {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) ? number : value;
}

function secondsIn(duration: unknown): number {
  return Number.parseFloat(String(duration ?? '0s'));
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

function fieldsIn(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function keyValue(kv: unknown): Fields {
  const { value, valueBytes, createRevision, modRevision, version, leaseId } = fieldsIn(kv);
  return {
    ...(valueBytes === undefined ? { value: value ?? '' } : { valueBytes }),
    createRevision: numberIn(createRevision),
    modRevision: numberIn(modRevision),
    version: numberIn(version),
    leaseId: numberIn(leaseId),
  };
}

function instanceFields({ service, leaseId, revision, status, metadata, tags, ...fields }: Fields): Fields {
  return {
    serviceName: service,
    ...fields,
    status: String(status ?? '').replace(/^STATUS_/, ''),
    metadata: metadata ?? {},
    tags: tags ?? [],
    leaseId: numberIn(leaseId),
    revision: numberIn(revision),
  };
}

function itemFields({ version, revision, value, contentType, ...fields }: Fields): Fields {
  return {
    ...fields,
    ...(fields['valueBytes'] === undefined && fields['redacted'] === undefined && { value: value ?? '' }),
    contentType: String(contentType ?? '')
      .replace(/^CONTENT_TYPE_/, '')
      .toLowerCase(),
    version: numberIn(version),
    revision: numberIn(revision),
  };
}
