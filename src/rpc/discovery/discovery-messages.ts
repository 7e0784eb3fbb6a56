// Instances and what is asked of them, as messages.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Duration, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type {
  Change_Type,
  ChangeSchema,
  Filter as FilterMessage,
  InvalidEntrySchema,
  PickRequest,
} from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Strategy, Change_Type as Type } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import {
  type Instance as InstanceMessage,
  type InstanceSchema,
  Status,
} from '../../../gen/concord/discovery/v1/instance_pb.ts';
import type { Probe as ProbeMessage } from '../../../gen/concord/discovery/v1/probe_pb.ts';
import { createFilter, type Filter } from '../../domain/discovery/filter.ts';
import type {
  Status as DomainStatus,
  Instance,
  InstanceDetails,
  InvalidEntry,
} from '../../domain/discovery/instance.ts';
import type { Strategy as PickStrategy } from '../../domain/discovery/pick.ts';
import type { Probe, ProbeCheck } from '../../domain/discovery/probe.ts';
import type { InstanceChange } from '../../domain/discovery/watch-instances.ts';
import { millisecondsOf } from '../fields/times.ts';
import type { ExpressionFilters } from './filter-expression.ts';

const STATUSES = {
  UP: Status.UP,
  DOWN: Status.DOWN,
  DRAINING: Status.DRAINING,
  STARTING: Status.STARTING,
} as const satisfies Record<DomainStatus, Status>;

const TYPES = {
  registered: Type.REGISTERED,
  updated: Type.UPDATED,
  unregistered: Type.UNREGISTERED,
  expired: Type.EXPIRED,
  status: Type.STATUS,
} as const satisfies Record<InstanceChange['type'], Change_Type>;

const DEFAULT_WEIGHT = 1;
const DEFAULT_PROBE = { intervalMs: 5_000, timeoutMs: 2_000, failureThreshold: 3, giveUpAfterMs: 60_000 };
const MAX_INVALID = 100;

/** Returns an instance as a message. */
export function instanceMessage(instance: Instance): MessageInitShape<typeof InstanceSchema> {
  const { service, instanceId, host, port, version, zone, weight, leaseId, registerWallMs, revision } =
    instance;
  return {
    service,
    instanceId,
    host,
    port,
    metadata: { ...instance.metadata },
    tags: [...instance.tags],
    version,
    zone,
    weight,
    status: STATUSES[instance.status],
    leaseId,
    ...(registerWallMs !== undefined && { registerTime: timestampFromMs(registerWallMs) }),
    revision,
  };
}

/** Returns what an instance says of itself. */
export function detailsOf(message: InstanceMessage): InstanceDetails {
  const { host, port, metadata, tags, version, zone, weight, status } = message;
  return {
    host,
    port,
    metadata,
    tags,
    version,
    zone,
    weight: weight ?? DEFAULT_WEIGHT,
    status: statusOf(status),
  };
}

/** Returns a status as the domain names it; not set, it is up. */
export function statusOf(status: Status): DomainStatus {
  switch (status) {
    case Status.DOWN:
      return 'DOWN';
    case Status.DRAINING:
      return 'DRAINING';
    case Status.STARTING:
      return 'STARTING';
    default:
      return 'UP';
  }
}

/** Returns which instances a request means. Throws FILTER_INVALID. */
export function filterOf(filter: FilterMessage | undefined, expressions: ExpressionFilters): Filter {
  return createFilter({
    statuses: filter?.statuses.map(statusOf) ?? [],
    zones: filter?.zones ?? [],
    tags: filter?.tags ?? [],
    version: filter?.version ?? '',
    expression: expressions(filter?.expression ?? ''),
  });
}

/** Returns how a request chooses. */
export function strategyOf({ strategy, hashKey, zone }: PickRequest): PickStrategy {
  switch (strategy) {
    case Strategy.FIRST:
      return { kind: 'first' };
    case Strategy.ROUND_ROBIN:
      return { kind: 'roundRobin' };
    case Strategy.WEIGHTED:
      return { kind: 'weighted' };
    case Strategy.ZONE_FIRST:
      return { kind: 'zoneFirst', zone };
    case Strategy.HASH:
      return { kind: 'hash', key: hashKey };
    default:
      return { kind: 'random' };
  }
}

/** Returns how an instance is probed. */
export function probeOf(probe: ProbeMessage | undefined): Probe | undefined {
  if (probe === undefined) return undefined;
  return {
    check: checkOf(probe),
    port: probe.port,
    intervalMs: orDefault(probe.interval, DEFAULT_PROBE.intervalMs),
    timeoutMs: orDefault(probe.timeout, DEFAULT_PROBE.timeoutMs),
    failureThreshold: probe.failureThreshold || DEFAULT_PROBE.failureThreshold,
    giveUpAfterMs: orDefault(probe.giveUpAfter, DEFAULT_PROBE.giveUpAfterMs),
  };
}

/** Returns a change as a message. */
export function changeMessage({
  type,
  instance,
  previous,
}: InstanceChange): MessageInitShape<typeof ChangeSchema> {
  return {
    type: TYPES[type],
    instance: instanceMessage(instance),
    ...(previous !== undefined && { previous: instanceMessage(previous) }),
  };
}

/** Returns what is no instance, as messages: the first 100. */
export function invalidMessages(
  invalid: readonly InvalidEntry[],
): MessageInitShape<typeof InvalidEntrySchema>[] {
  return invalid
    .slice(0, MAX_INVALID)
    .map(({ key, reason }) => ({ key: Buffer.from(key).toString('utf8'), reason }));
}

function checkOf({ check }: ProbeMessage): ProbeCheck {
  switch (check.case) {
    case 'http':
      return { kind: 'http', path: check.value.path || '/' };
    case 'grpc':
      return { kind: 'grpc', service: check.value.service };
    default:
      return { kind: 'tcp' };
  }
}

function orDefault(duration: Duration | undefined, defaultMs: number): number {
  return duration === undefined ? defaultMs : millisecondsOf(duration);
}
