// What the classic routes are for, and an example of each, for the OpenAPI document.

import type { Fields } from './classic-route.ts';

/** One parameter of a query. */
export interface ClassicParameter {
  readonly description: string;
  readonly isRequired?: true;
  readonly type?: 'integer' | 'string';
}

/** A request that works on a new gateway when all are sent in the order of the routes. */
export interface ClassicExample {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Fields;
}

/** One route. */
export interface ClassicDocumentation {
  /** Its name among the operations. */
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: Readonly<Record<string, ClassicParameter>>;
  /** What the body is, where there is one: always a JSON object. */
  readonly body?: string;
  /** By their names. */
  readonly examples: Readonly<Record<string, ClassicExample>>;
  /** Parameters of the examples whose values come from the answer of an earlier route: `Classic_grantLease#/leaseId`. */
  readonly takes?: Readonly<Record<string, string>>;
  /** What is answered, besides `success`. */
  readonly answer: Fields;
  /** What is answered in some cases only. */
  readonly sometimes?: Readonly<Record<string, string>>;
}

const VALUE = { description: 'The value.', isRequired: true } as const;
const TTL: ClassicParameter = {
  description: 'For how long, in seconds. Default: 60.',
  type: 'integer',
};
const PROFILE: ClassicParameter = { description: 'The profile. Default: `default`.' };
const SERVICE_NAME: ClassicParameter = { description: 'The service.', isRequired: true };
const PAGE: Readonly<Record<string, ClassicParameter>> = {
  pageSize: { description: 'At most so many in one answer; 0 to 1000. Default: 1000.', type: 'integer' },
  pageToken: { description: 'The `nextPageToken` of the page before. Default: the first page.' },
};
const NEXT_PAGE = { nextPageToken: 'Where the next page begins; not there on the last page.' };
const BYTES = { valueBytes: 'The value in base64, in place of `value`, where it is not UTF-8.' };
const MARKED_KEY = 'A key that begins as another route does is written with `%2F`: `/etcd/kv/prefix%2Fx`.';

const ITEM: Fields = {
  application: 'billing',
  profile: 'default',
  key: 'db/url',
  updateTime: '2026-11-24T10:05:24.729Z',
  value: 'postgres://10.0.0.5/billing',
  contentType: 'text',
  version: 1,
  revision: 61,
};
const INSTANCE: Fields = {
  serviceName: 'payments',
  instanceId: 'payments-1',
  host: '10.0.0.7',
  port: 8080,
  weight: 1,
  registerTime: '2026-11-24T10:05:24.729Z',
  status: 'UP',
  metadata: { region: 'eu' },
  tags: [],
  leaseId: 294782561902709,
  revision: 53,
};

function instanceInfo(host: string): string {
  return JSON.stringify({ host, port: 8080, region: 'eu' });
}

/** All classic routes, by method and path as they stand in the table. */
export const CLASSIC_DOCUMENTATION: Readonly<Record<string, ClassicDocumentation>> = {
  'PUT /etcd/kv/{key=**}': {
    name: 'putKey',
    summary: 'Writes one key.',
    description: MARKED_KEY,
    query: {
      value: VALUE,
      ttl: { description: 'Has the key go away after so many seconds. Default: it stays.', type: 'integer' },
    },
    examples: { example: { params: { key: 'classic/color' }, query: { value: 'green' } } },
    answer: { key: 'classic/color', revision: 47, version: 1 },
    sometimes: { leaseId: 'The lease of the key, with `ttl`.' },
  },
  'GET /etcd/kv/{key=**}': {
    name: 'getKey',
    summary: 'Returns one key.',
    description: MARKED_KEY,
    examples: { example: { params: { key: 'classic/color' } } },
    answer: {
      key: 'classic/color',
      value: 'green',
      createRevision: 47,
      modRevision: 47,
      version: 1,
      leaseId: 0,
    },
    sometimes: BYTES,
  },
  'DELETE /etcd/kv/{key=**}': {
    name: 'deleteKey',
    summary: 'Deletes one key. A key that does not exist is no error.',
    description: MARKED_KEY,
    examples: { example: { params: { key: 'classic/color' } } },
    answer: { key: 'classic/color', deleted: true, revision: 48 },
  },
  'GET /etcd/kv/prefix/{prefix=**}': {
    name: 'listKeys',
    summary: 'Returns the keys with a prefix and their values.',
    description:
      'Keys and values that are not UTF-8 are given in base64. `count` is how many there are, whatever the page.',
    query: PAGE,
    examples: { example: { params: { prefix: 'app/' } } },
    answer: { prefix: 'app/', count: 1, data: { 'app/db/host': '10.0.0.6' }, revision: 48 },
    sometimes: NEXT_PAGE,
  },
  'POST /etcd/kv/batch': {
    name: 'putKeys',
    summary: 'Writes up to 128 keys, all or nothing.',
    body: 'The keys and their values. A value that is no text is written as JSON.',
    examples: { example: { body: { 'classic/a': 'one', 'classic/b': { retries: 3 } } } },
    answer: { revision: 49 },
  },
  'POST /etcd/service/register': {
    name: 'registerInstance',
    summary: 'Registers an instance, which Concord keeps until it is unregistered.',
    query: {
      serviceName: SERVICE_NAME,
      instanceId: { description: 'The instance. Default: one is made.' },
      instanceInfo: {
        description:
          'A JSON object with `host` and `port`, and where they are known `tags`, `version`, `zone`, `weight`, `status` and `metadata`; whatever else it holds is metadata too.',
        isRequired: true,
      },
      ttl: TTL,
    },
    examples: {
      one: {
        query: { serviceName: 'payments', instanceId: 'payments-1', instanceInfo: instanceInfo('10.0.0.7') },
      },
      another: {
        query: { serviceName: 'payments', instanceId: 'payments-2', instanceInfo: instanceInfo('10.0.0.8') },
      },
    },
    answer: {
      serviceName: 'payments',
      instanceId: 'payments-1',
      leaseId: 294782561902709,
      message: 'instance "payments-1" of service "payments" is registered',
    },
  },
  'DELETE /etcd/service/unregister': {
    name: 'unregisterInstance',
    summary: 'Takes an instance out. One that is not registered is no error.',
    query: { serviceName: SERVICE_NAME, instanceId: { description: 'The instance.', isRequired: true } },
    examples: { example: { query: { serviceName: 'payments', instanceId: 'payments-2' } } },
    answer: { serviceName: 'payments', instanceId: 'payments-2', unregistered: true },
  },
  'GET /etcd/service/discover/{service}': {
    name: 'discoverInstances',
    summary: 'Returns the instances of a service.',
    examples: { example: { params: { service: 'payments' } } },
    answer: { serviceName: 'payments', count: 1, instances: [INSTANCE] },
    sometimes: { stale: 'True where the loss guard holds, and the set from before is served.' },
  },
  'GET /etcd/service/list': {
    name: 'listServices',
    summary: 'Returns the services that have instances.',
    query: PAGE,
    examples: { example: {} },
    answer: { count: 1, services: [{ serviceName: 'payments', instanceCount: 1, upCount: 1 }] },
    sometimes: NEXT_PAGE,
  },
  'GET /etcd/service/first/{service}': {
    name: 'firstInstance',
    summary: 'Returns the instance of a service that is up and has the smallest id.',
    examples: { example: { params: { service: 'payments' } } },
    answer: INSTANCE,
    sometimes: {
      version: 'What it runs, where it says so.',
      zone: 'Where it runs, where it says so.',
    },
  },
  'PUT /etcd/config/{application}/{key=**}': {
    name: 'putItem',
    summary: 'Writes one item of configuration.',
    query: { value: VALUE, profile: PROFILE },
    examples: {
      example: {
        params: { application: 'billing', key: 'db/url' },
        query: { value: 'postgres://10.0.0.5/billing' },
      },
    },
    answer: ITEM,
  },
  'GET /etcd/config/{application}/{key=**}': {
    name: 'getItem',
    summary: 'Returns one item of configuration.',
    query: { profile: PROFILE },
    examples: { example: { params: { application: 'billing', key: 'db/url' } } },
    answer: ITEM,
    sometimes: {
      ...BYTES,
      author: 'Who wrote it, where that is known.',
      comment: 'Why, where that is known.',
      secret: 'True where it is encrypted at rest.',
      redacted: 'True where the value is left out: it is secret.',
    },
  },
  'DELETE /etcd/config/{application}/{key=**}': {
    name: 'deleteItem',
    summary: 'Deletes one item of configuration. One that is not there is no error.',
    query: { profile: PROFILE },
    examples: { example: { params: { application: 'billing', key: 'db/url' } } },
    answer: { application: 'billing', key: 'db/url', deleted: true, revision: 62 },
  },
  'GET /etcd/config/{application}': {
    name: 'listItems',
    summary: 'Returns the configuration of an application, one profile of it.',
    query: { profile: PROFILE, ...PAGE },
    examples: { example: { params: { application: 'billing' } } },
    answer: { application: 'billing', count: 1, data: { 'limits/orders': '100' }, revision: 63 },
    sometimes: NEXT_PAGE,
  },
  'POST /etcd/config/{application}/batch': {
    name: 'putItems',
    summary: 'Writes many items of one application and profile, all or none.',
    query: { profile: PROFILE },
    body: 'The keys and their values. Numbers, booleans and JSON keep their type.',
    examples: {
      example: {
        params: { application: 'billing' },
        body: { 'limits/orders': 100, 'features/search': true },
      },
    },
    answer: { application: 'billing', count: 2, revision: 63 },
  },
  'POST /etcd/lease/grant': {
    name: 'grantLease',
    summary: 'Grants a lease, which the caller keeps alive.',
    query: { ttl: TTL },
    examples: { example: { query: { ttl: 60 } } },
    answer: { leaseId: 3024957461320437, ttl: 60 },
  },
  'POST /etcd/lease/keepalive/{lease_id}': {
    name: 'renewLease',
    summary: 'Renews a lease once.',
    examples: { example: { params: { lease_id: '3024957461320437' } } },
    takes: { leaseId: 'Classic_grantLease#/leaseId' },
    answer: { leaseId: 3024957461320437, ttl: 60 },
  },
  'DELETE /etcd/lease/{lease_id}': {
    name: 'revokeLease',
    summary: 'Ends a lease and deletes its keys.',
    examples: { example: { params: { lease_id: '3024957461320437' } } },
    takes: { leaseId: 'Classic_grantLease#/leaseId' },
    answer: { leaseId: 3024957461320437, revision: 64 },
  },
  'GET /etcd/lease/{lease_id}': {
    name: 'getLease',
    summary: 'Returns a lease and its keys.',
    examples: { example: { params: { lease_id: '3024957461320437' } } },
    takes: { leaseId: 'Classic_grantLease#/leaseId' },
    answer: { leaseId: 3024957461320437, grantedTtl: 60, remainingTtl: 59, keys: [], autoRenewed: false },
  },
};
