// The classic routes of services.

import {
  asText,
  type ClassicRoute,
  type Fields,
  fieldsIn,
  jsonObject,
  list,
  numberIn,
  pageIn,
  required,
} from './classic-route.ts';

const DISCOVERY = '/concord.discovery.v1.DiscoveryService';
const DEFAULT_TTL = '60';
const INSTANCE_FIELDS = new Set(['host', 'port', 'metadata', 'tags', 'version', 'zone', 'weight', 'status']);

/** The routes. */
export const SERVICE_ROUTES: readonly ClassicRoute[] = [
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
];

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
