// The classic routes of keys.

import {
  asText,
  type ClassicRoute,
  entriesIn,
  type Fields,
  fieldsIn,
  list,
  numberIn,
  pageIn,
  required,
} from './classic-route.ts';

const KV = '/concord.kv.v1.KvService';

/** The routes. */
export const KEY_ROUTES: readonly ClassicRoute[] = [
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
];

function ttlIn(query: URLSearchParams): Fields {
  const ttl = query.get('ttl');
  return ttl === null ? {} : { ttl: `${ttl}s` };
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
