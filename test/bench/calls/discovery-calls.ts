import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Change_Type,
  DiscoverRequestSchema,
  DiscoverResponseSchema,
  PickRequestSchema,
  PickResponseSchema,
  WatchRequestSchema,
  WatchResponse_Kind,
  WatchResponseSchema,
} from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import type { Call } from '../load/call.ts';
import type { WatchCall } from '../load/watch-call.ts';
import type { Entry } from './entries.ts';
import { etcdPrefixRange } from './etcd-calls.ts';
import { countFields } from './message-fields.ts';

const PREFIX = '/services/';
/** No instance that is written here takes less. */
const MIN_INSTANCE_BYTES = 60;
const SERIALIZABLE = Consistency.SERIALIZABLE;

/** A service that the bench wrote. */
export interface SeededService {
  readonly name: string;
  /** Its instances, as they stand in etcd. */
  readonly entries: readonly Entry[];
}

/** So many services, each of so many instances that say what is usual. */
export function someServices(name: string, count: number, instances: number): readonly SeededService[] {
  return Array.from({ length: count }, (_, service) => ({
    name: `${name}-${service}`,
    entries: Array.from({ length: instances }, (__, instance) => ({
      key: `${PREFIX}${name}-${service}/instance-${instance}`,
      value: JSON.stringify({
        host: `10.${service >> 8}.${service & 255}.${instance & 255}`,
        port: 8_080,
        metadata: { commit: '6f1ed002ab5595859014ebf0951522d9' },
        tags: ['http'],
        version: '1.4.2',
        zone: `zone-${instance % 3}`,
        status: 'UP',
      }),
    })),
  }));
}

/** Discover over gRPC, from memory. */
export function concordDiscover(services: readonly SeededService[]): Call {
  return {
    protocol: 'grpc',
    path: '/concord.discovery.v1.DiscoveryService/Discover',
    requests: services.map(({ name: service }) =>
      toBinary(DiscoverRequestSchema, create(DiscoverRequestSchema, { service, consistency: SERIALIZABLE })),
    ),
    isAnyKeyLikeAll: true,
    minAnswerBytes: MIN_INSTANCE_BYTES,
    check(answer, index) {
      const { instances } = fromBinary(DiscoverResponseSchema, answer);
      expectCount(services[index], instances.length);
    },
  };
}

/** Pick over gRPC, from memory, at random. */
export function concordPick(services: readonly SeededService[]): Call {
  return {
    protocol: 'grpc',
    path: '/concord.discovery.v1.DiscoveryService/Pick',
    requests: services.map(({ name: service }) =>
      toBinary(PickRequestSchema, create(PickRequestSchema, { service, consistency: SERIALIZABLE })),
    ),
    isAnyKeyLikeAll: true,
    minAnswerBytes: MIN_INSTANCE_BYTES,
    check(answer, index) {
      const { instance } = fromBinary(PickResponseSchema, answer);
      if (instance?.service !== services[index]?.name) throw new Error(`picked of ${instance?.service}`);
    },
  };
}

/** What a client of etcd asks to know the same: a Range of the service's prefix over gRPC, serializable. */
export function etcdServiceRange(services: readonly SeededService[]): Call {
  const queries = services.map(({ name, entries }) => ({
    prefix: `${PREFIX}${name}/`,
    count: entries.length,
  }));
  return etcdPrefixRange(queries, MIN_INSTANCE_BYTES);
}

const { number: CHANGES } = WatchResponseSchema.field.changes;

/**
 * Watch of a service that is empty at first, where instances `0`, `1`, … are registered, in this order, and then taken out in the
 * same. Its events count up.
 */
export function concordWatchService(service: string, instances: number): WatchCall {
  return {
    path: '/concord.discovery.v1.DiscoveryService/Watch',
    request: toBinary(WatchRequestSchema, create(WatchRequestSchema, { service })),
    isRequestLast: true,
    checkFirst(message) {
      const { kind } = fromBinary(WatchResponseSchema, message);
      if (kind !== WatchResponse_Kind.SYNCED) throw new Error(`the first message is of kind ${kind}`);
    },
    countEvents: (bytes, start, end) => countFields(bytes, start, end, CHANGES),
    readRevisions(message) {
      const { changes } = fromBinary(WatchResponseSchema, message);
      return changes.map(({ type, instance }) => {
        const first = type === Change_Type.REGISTERED ? 0 : instances;
        if (first > 0 && type !== Change_Type.UNREGISTERED) throw new Error(`a change of type ${type}`);
        return BigInt(first + Number(instance?.instanceId));
      });
    },
  };
}

function expectCount(service: SeededService | undefined, count: number): void {
  if (count === service?.entries.length) return;
  throw new Error(`asked for ${service?.name} and got ${count} instances`);
}
