// DiscoveryService of concord.discovery.v1: each handler is a parse, a call to the domain, and a mapping.

import { randomUUID } from 'node:crypto';
import type { Duration } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  type AttachRequest,
  type DiscoveryService as DiscoveryServiceDescriptor,
  Liveness,
  type SetLossGuardRequest,
  WatchResponse_Kind,
} from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import type { Instance as InstanceMessage } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import type { Fence as FenceMessage } from '../../../gen/concord/kv/v1/fence_pb.ts';
import type { Clock } from '../../domain/clock.ts';
import type { AttachQuery } from '../../domain/discovery/attach.ts';
import type { DiscoveryKeys } from '../../domain/discovery/discovery-keys.ts';
import type { DiscoveryService } from '../../domain/discovery/discovery-service.ts';
import type { GuardOptions } from '../../domain/discovery/loss-guard.ts';
import type { ChangeConditions, InstanceName } from '../../domain/discovery/registration.ts';
import type { InstanceWatchMessage } from '../../domain/discovery/watch-instances.ts';
import type { SessionToResume } from '../../domain/session/sessions.ts';
import type { WatchSource } from '../../domain/store.ts';
import { reasonError } from '../checks/errors.ts';
import { freshnessOf } from '../fields/freshness.ts';
import { readPosition, writePosition } from '../fields/position-token.ts';
import { seal, unseal } from '../fields/sealed-text.ts';
import {
  checkpointIntervalOf,
  durationOf,
  millisecondsOf,
  timestampOf,
  wholeSecondsOf,
} from '../fields/times.ts';
import { fenceOf } from '../kv/kv-messages.ts';
import { ResumeTokens } from '../kv/resume-token.ts';
import {
  changeMessage,
  detailsOf,
  filterOf,
  instanceMessage,
  invalidMessages,
  probeOf,
  statusOf,
  strategyOf,
} from './discovery-messages.ts';
import { createExpressionFiltersOnDemand } from './filter-on-demand.ts';

/** What the handlers need. */
export interface DiscoveryHandlersDeps {
  readonly discovery: DiscoveryService;
  readonly keys: DiscoveryKeys;
  readonly source: Pick<WatchSource, 'clusterId'>;
  readonly clock: Clock;
}

const DEFAULT_TTL_SECONDS = 30n;
const DEFAULT_ATTACH_TTL_SECONDS = 15n;
const DEFAULT_PAGE_SIZE = 100;
const DEFAULT_WINDOW_MS = 30_000;
const DEFAULT_HOLD_MS = 300_000;
const ATTACH_BINDING = Buffer.from('concord.discovery.v1.DiscoveryService/Attach');

const KINDS = {
  snapshot: WatchResponse_Kind.SNAPSHOT,
  synced: WatchResponse_Kind.SYNCED,
  events: WatchResponse_Kind.EVENTS,
  checkpoint: WatchResponse_Kind.CHECKPOINT,
  resync: WatchResponse_Kind.RESYNC,
} as const;

/** Creates the handlers on the domain's service. */
export function createDiscoveryHandlers({
  discovery,
  keys,
  source,
  clock,
}: DiscoveryHandlersDeps): ServiceImpl<typeof DiscoveryServiceDescriptor> {
  const expressions = createExpressionFiltersOnDemand();
  return {
    async register({ instance: message, ttl, liveness, probe, ...conditions }, options) {
      const named = required(message);
      const { instance, expireMs } = await discovery.register(
        {
          name: nameOf(named),
          details: detailsOf(named),
          ttlSeconds: secondsOf(ttl, DEFAULT_TTL_SECONDS),
          liveness: liveness === Liveness.MANAGED ? 'MANAGED' : 'HEARTBEAT',
          probe: probeOf(probe),
          conditions: conditionsOf(conditions),
        },
        options,
      );
      return {
        revision: instance.revision,
        instance: instanceMessage(instance),
        leaseId: instance.leaseId,
        expireTime: timestampOf(clock, expireMs),
      };
    },

    async *attach(request, { signal }) {
      for await (const { instance, session } of discovery.attach(attachQuery(request), { signal })) {
        yield {
          revision: session.revision > instance.revision ? session.revision : instance.revision,
          instance: instanceMessage(instance),
          expireTime: timestampOf(clock, session.deadlineMs),
          resumeToken: writeAttachToken(instance, session),
        };
      }
    },

    async heartbeat(request, options) {
      const { revision, expireMs } = await discovery.heartbeat(request, options);
      return { revision, ...(expireMs !== undefined && { expireTime: timestampOf(clock, expireMs) }) };
    },

    unregister: (request, options) => discovery.unregister(request, conditionsOf(request), options),

    async updateInstance({ instance: message, ...conditions }, options) {
      const named = required(message);
      const details = detailsOf(named);
      const instance = await discovery.change(
        nameOf(named),
        () => details,
        conditionsOf(conditions),
        options,
      );
      return { revision: instance.revision, instance: instanceMessage(instance) };
    },

    async setStatus(request, options) {
      const status = statusOf(request.status);
      const instance = await discovery.change(
        request,
        (current) => ({ ...current, status }),
        conditionsOf(request),
        options,
      );
      return { revision: instance.revision, instance: instanceMessage(instance) };
    },

    async discover(request, options) {
      const filter = filterOf(request.filter, expressions);
      const found = await discovery.discover(request.service, filter, freshnessOf(request), options);
      return {
        revision: found.revision,
        instances: found.instances.map(instanceMessage),
        stale: found.staleReason !== undefined,
        staleReason: found.staleReason ?? '',
        invalidEntries: invalidMessages(found.invalid),
      };
    },

    async getInstance(request, options) {
      const { instance, revision } = await discovery.get(request, freshnessOf(request), options);
      return { revision, instance: instanceMessage(instance) };
    },

    async listServices(request, options) {
      const { prefix, pageToken, pageSize } = request;
      const binding = Buffer.from(`concord.discovery.v1.ListServicesRequest ${prefix}`);
      const page = await discovery.listServices(
        {
          ...freshnessOf(request),
          prefix,
          after: readPosition(pageToken, binding),
          pageSize: pageSize || DEFAULT_PAGE_SIZE,
        },
        options,
      );
      return {
        revision: page.revision,
        services: [...page.services],
        nextPageToken: writePosition(page.next, binding),
      };
    },

    async pick(request, options) {
      const query = {
        service: request.service,
        strategy: strategyOf(request),
        filter: filterOf(request.filter, expressions),
      };
      const { instance, isStale, revision } = await discovery.pick(query, freshnessOf(request), options);
      return { revision, instance: instanceMessage(instance), stale: isStale };
    },

    async waitFor(request, options) {
      const { service, count } = request;
      const query = { service, count: count || 1, filter: filterOf(request.filter, expressions) };
      const { instances, revision } = await discovery.waitFor(query, options);
      return { revision, instances: instances.map(instanceMessage) };
    },

    async *watch({ service, resumeToken, checkpointInterval }, { signal }) {
      const range = service === '' ? keys.all : keys.ofService(service);
      const tokens = new ResumeTokens(range, await source.clusterId({ signal }));
      const start =
        resumeToken === ''
          ? ({ kind: 'now' } as const)
          : ({ kind: 'resume', ...tokens.read(resumeToken) } as const);
      const query = {
        service: service === '' ? undefined : service,
        start,
        checkpointIntervalMs: checkpointIntervalOf(checkpointInterval),
      };
      for await (const message of discovery.watch(query, { signal })) {
        const { kind, revision } = message;
        yield {
          kind: KINDS[kind],
          revision,
          resumeToken: tokens.write({ revision, isPartial: isPartial(message) }),
          ...(kind === 'snapshot' && { instances: message.instances.map(instanceMessage) }),
          ...((kind === 'events' || kind === 'resync') && {
            changes: (message.changes ?? []).map(changeMessage),
          }),
          ...('invalid' in message && { invalidEntries: invalidMessages(message.invalid) }),
        };
      }
    },

    setLossGuard: (request, options) =>
      discovery.setGuard(request.service, guardOf(request), fenceOf(request.fence), options),

    async getLossGuard(request, options) {
      const { guard, revision } = await discovery.getGuard(request.service, freshnessOf(request), options);
      return {
        revision,
        ...(guard !== undefined && {
          maxLossPercent: guard.maxLossPercent,
          window: durationOf(BigInt(Math.round(guard.windowMs / 1_000))),
          hold: durationOf(BigInt(Math.round(guard.holdMs / 1_000))),
        }),
      };
    },
  };
}

/** The contract says that it is there. */
function required(instance: InstanceMessage | undefined): InstanceMessage {
  if (instance === undefined) throw reasonError('REQUEST_MALFORMED', 'There is no instance in the request');
  return instance;
}

function nameOf({ service, instanceId }: InstanceMessage): InstanceName {
  return { service, instanceId: instanceId || randomUUID() };
}

function conditionsOf({
  expectedRevision,
  fence,
}: {
  readonly expectedRevision?: bigint | undefined;
  readonly fence?: FenceMessage | undefined;
}): ChangeConditions {
  return { expectedRevision, fence: fenceOf(fence) };
}

function secondsOf(ttl: Duration | undefined, defaultSeconds: bigint): bigint {
  return ttl === undefined ? defaultSeconds : wholeSecondsOf(ttl);
}

function guardOf({ maxLossPercent, window, hold }: SetLossGuardRequest): GuardOptions | undefined {
  if (maxLossPercent === 0) return undefined;
  const windowMs = window === undefined ? DEFAULT_WINDOW_MS : millisecondsOf(window);
  const holdMs = hold === undefined ? DEFAULT_HOLD_MS : millisecondsOf(hold);
  return { maxLossPercent, windowMs, holdMs };
}

function attachQuery({ instance, ttl, grace, resumeToken }: AttachRequest): AttachQuery {
  if (resumeToken !== '') {
    const { name, session } = readAttachToken(resumeToken);
    return { name, start: { kind: 'resume', session } };
  }
  const named = required(instance);
  return {
    name: nameOf(named),
    start: {
      kind: 'new',
      details: detailsOf(named),
      ttlSeconds: secondsOf(ttl, DEFAULT_ATTACH_TTL_SECONDS),
      graceMs: grace === undefined ? 0 : millisecondsOf(grace),
    },
  };
}

/** Which instance, and which session keeps it. */
function writeAttachToken(
  { service, instanceId }: InstanceName,
  { leaseId, openRevision }: SessionToResume,
): string {
  const [a, b] = [service, instanceId].map((text) => Buffer.from(text).toString('base64url'));
  return seal(`${leaseId} ${openRevision} ${a} ${b}`, ATTACH_BINDING);
}

/** Throws RESUME_TOKEN_INVALID. */
function readAttachToken(token: string): { readonly name: InstanceName; readonly session: SessionToResume } {
  // A lease that was granted for a stream has an id below 2^53.
  const layout = /^(\d{1,16}) (\d{1,18}) ([A-Za-z0-9_-]+) ([A-Za-z0-9_-]+)$/;
  const [, leaseId, openRevision, service, instanceId] =
    layout.exec(unseal(token, ATTACH_BINDING) ?? '') ?? [];
  if (!leaseId || !openRevision || !service || !instanceId) {
    throw reasonError(
      'RESUME_TOKEN_INVALID',
      'The resume token is damaged, or belongs to another call; start again without it',
    );
  }
  const [a = '', b = ''] = [service, instanceId].map((text) =>
    Buffer.from(text, 'base64url').toString('utf8'),
  );
  return {
    name: { service: a, instanceId: b },
    session: { leaseId: BigInt(leaseId), openRevision: BigInt(openRevision) },
  };
}

/** A snapshot follows, or goes on. */
function isPartial(message: InstanceWatchMessage): boolean {
  return message.kind === 'snapshot' || (message.kind === 'resync' && message.changes === undefined);
}
