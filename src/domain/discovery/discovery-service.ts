// Service discovery: what DiscoveryService of the contract does.
// What is read comes from memory (src/domain/discovery/directory.ts), what is written goes through
// src/domain/discovery/registration.ts.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import { renewedKey } from '../lease/lease-keys.ts';
import { renewalValue } from '../lease/renewal-record.ts';
import { type Freshness, freshRead, revisionInFuture } from '../reading/fresh-read.ts';
import type { Sessions } from '../session/sessions.ts';
import type { AtRevision, KeyValueStore, LeaseStore, OperationOptions, WatchSource } from '../store.ts';
import type { Watch } from '../watch/watch.ts';
import { conditionalTxn } from '../writing/conditional-txn.ts';
import { type AttachMessage, type AttachQuery, attach } from './attach.ts';
import { Directory, type ServiceSummary } from './directory.ts';
import { type DiscoveryKeys, guardKey } from './discovery-keys.ts';
import { type Filter, isUp } from './filter.ts';
import type { Instance, InstanceDetails, InvalidEntry } from './instance.ts';
import type { GuardOptions } from './loss-guard.ts';
import { guardValue, LossGuards, readGuard } from './loss-guards.ts';
import { createPick, type Strategy } from './pick.ts';
import type { Probe, Prober } from './probe.ts';
import {
  type ChangeConditions,
  changeInstance,
  type InstanceName,
  instanceNotFound,
  putInstance,
  readRegistered,
  removeInstance,
  withNewLease,
} from './registration.ts';
import { type WaitForQuery, waitForInstances } from './wait-for-instances.ts';
import { type InstanceWatchMessage, type InstanceWatchQuery, watchInstances } from './watch-instances.ts';

/** What to register. */
export interface RegisterRequest {
  readonly name: InstanceName;
  readonly details: InstanceDetails;
  readonly ttlSeconds: bigint;
  readonly liveness: 'HEARTBEAT' | 'MANAGED';
  readonly probe: Probe | undefined;
  readonly conditions: ChangeConditions;
}

/** The instances of a service that are asked for. */
export interface Discovered {
  readonly instances: readonly Instance[];
  readonly invalid: readonly InvalidEntry[];
  /** Why instances are served that are not registered any more; undefined: none are. */
  readonly staleReason: string | undefined;
}

/** Registers and finds instances. Every method also rejects as {@link KeyValueStore} and {@link LeaseStore} do. */
export interface DiscoveryService {
  /** Rejects with PROBE_NOT_ALLOWED, REVISION_MISMATCH or FENCE_LOST. */
  register(
    request: RegisterRequest,
    options: OperationOptions,
  ): Promise<{ readonly instance: Instance; readonly expireMs: number }>;
  /** See {@link attach}. */
  attach(query: AttachQuery, options: OperationOptions): AsyncGenerator<AttachMessage>;
  /** Rejects with INSTANCE_NOT_FOUND. `expireMs` undefined: the instance has no lease. */
  heartbeat(
    name: InstanceName,
    options: OperationOptions,
  ): Promise<{ readonly revision: bigint; readonly expireMs: number | undefined }>;
  unregister(
    name: InstanceName,
    conditions: ChangeConditions,
    options: OperationOptions,
  ): Promise<{ readonly unregistered: boolean; readonly revision: bigint }>;
  /** Rejects with INSTANCE_NOT_FOUND, REVISION_MISMATCH or FENCE_LOST. */
  change(
    name: InstanceName,
    to: (instance: Instance) => InstanceDetails,
    conditions: ChangeConditions,
    options: OperationOptions,
  ): Promise<Instance>;
  discover(
    service: string,
    filter: Filter,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<Discovered>>;
  /** Rejects with INSTANCE_NOT_FOUND. */
  get(
    name: InstanceName,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly instance: Instance }>>;
  /** The services whose names begin with `prefix`, behind `after`. */
  listServices(
    query: Freshness & { readonly prefix: string; readonly after: string; readonly pageSize: number },
    options: OperationOptions,
  ): Promise<{
    readonly services: readonly ServiceSummary[];
    readonly next: string | undefined;
    readonly revision: bigint;
  }>;
  /** Rejects with INSTANCE_NOT_FOUND where none is up and passes. */
  pick(
    query: { readonly service: string; readonly strategy: Strategy; readonly filter: Filter },
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly instance: Instance; readonly isStale: boolean }>>;
  /** See {@link waitForInstances}. */
  waitFor(
    query: WaitForQuery,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly instances: readonly Instance[] }>>;
  /** See {@link watchInstances}. */
  watch(query: InstanceWatchQuery, options: OperationOptions): AsyncGenerator<InstanceWatchMessage>;
  /** `guard` undefined: off. Rejects with FENCE_LOST. */
  setGuard(
    service: string,
    guard: GuardOptions | undefined,
    fence: Fence | undefined,
    options: OperationOptions,
  ): Promise<{ readonly revision: bigint }>;
  getGuard(
    service: string,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly guard: GuardOptions | undefined }>>;
  /** Ends what goes on in the background. */
  [Symbol.dispose](): void;
}

/** What the service needs. */
export interface DiscoveryServiceDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly source: WatchSource;
  readonly watch: Watch;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly prober: Prober;
  readonly keys: DiscoveryKeys;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Creates the service. */
export function createDiscoveryService(deps: DiscoveryServiceDeps): DiscoveryService {
  const { store, leases, watch, clock, prober, keys, random } = deps;
  const directory = new Directory(deps);
  const pick = createPick(random);
  let guards: LossGuards | undefined;

  function guarded(): LossGuards {
    guards ??= new LossGuards({ ...deps, directory });
    return guards;
  }

  function serve(service: string, filter: Filter): Discovered {
    const { instances, invalid } = directory.peek(service);
    const held = guarded().held(service, instances.length);
    if (held === undefined) return { instances: instances.filter(filter), invalid, staleReason: undefined };
    const all = [...instances, ...held.lost].sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
    return { instances: all.filter(filter), invalid, staleReason: held.reason };
  }

  async function discover(
    service: string,
    filter: Filter,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<Discovered>> {
    const { value, revision } = await directory.fresh(
      service,
      () => serve(service, filter),
      freshness,
      options,
    );
    return { ...value, revision };
  }

  return {
    async register({ name, details, ttlSeconds, liveness, probe, conditions }, options) {
      if (probe !== undefined) await prober.requireAllowed(details.host, options);
      const { value, expireMs } = await withNewLease(deps, ttlSeconds, options, ({ leaseId, ttlSeconds }) => {
        const value = renewalValue(ttlSeconds, probe === undefined ? {} : { ...name, probe });
        const renewed = { kind: 'put', key: renewedKey(leaseId), value, leaseId } as const;
        const also = liveness === 'MANAGED' ? [renewed] : [];
        return putInstance(deps, name, details, { leaseId, liveness }, also, conditions, options);
      });
      return { instance: value, expireMs };
    },

    attach: (query, options) => attach({ ...deps, directory }, query, options),

    async heartbeat(name, options) {
      // What is in memory may have been taken out or replaced a moment ago, and its lease is alive for a while yet: the store
      // is asked as well, at the same time.
      for (const known of [directory.peekInstance(name.service, name.instanceId), undefined]) {
        const instance = known ?? (await readRegistered(deps, name, options)).instance;
        if (instance === undefined) break;
        if (instance.leaseId === 0n) return { revision: instance.revision, expireMs: undefined };
        try {
          const sentMs = clock.now();
          const [{ ttlSeconds, revision }, registered] = await Promise.all([
            leases.keepAlive(instance.leaseId, options),
            known === undefined
              ? instance
              : readRegistered(deps, name, options).then((read) => read.instance),
          ]);
          if (registered?.leaseId === instance.leaseId)
            return { revision, expireMs: sentMs + Number(ttlSeconds) * 1_000 };
        } catch (error) {
          if (!(error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND')) throw error;
        }
      }
      throw instanceNotFound(name);
    },

    unregister: (name, conditions, options) => removeInstance(deps, name, conditions, options),
    change: (name, to, conditions, options) => changeInstance(deps, name, to, conditions, options),
    discover,

    async get(name, freshness, options) {
      const known = () => directory.peekInstance(name.service, name.instanceId);
      const found = freshness.serializable
        ? await directory.fresh(name.service, known, freshness, options)
        : await readRegistered(deps, name, options);
      const { revision } = found;
      const instance = 'value' in found ? found.value : found.instance;
      // As fresh as it was asked for, if the store has ever reached that.
      if (revision < freshness.minRevision) throw revisionInFuture(freshness.minRevision, revision);
      if (instance === undefined) throw instanceNotFound(name);
      return { instance, revision };
    },

    async listServices({ prefix, after, pageSize, ...freshness }, options) {
      const { value, revision } = await directory.fresh(
        undefined,
        () => directory.services(),
        freshness,
        options,
      );
      const rest = value.filter(({ name }) => name.startsWith(prefix) && name > after);
      const services = rest.slice(0, pageSize);
      return { services, next: rest.length > pageSize ? services.at(-1)?.name : undefined, revision };
    },

    async pick({ service, strategy, filter }, freshness, options) {
      const found = await discover(service, (each) => isUp(each) && filter(each), freshness, options);
      const instance = pick(service, found.instances, strategy);
      if (instance === undefined) throw nothingToPick(service);
      return { instance, isStale: found.staleReason !== undefined, revision: found.revision };
    },

    waitFor: (query, options) => waitForInstances(directory, query, options),
    watch: (query, options) => watchInstances(watch, keys, query, options),

    async setGuard(service, guard, fence, options) {
      const key = guardKey(service);
      const operation =
        guard === undefined
          ? ({ kind: 'delete', range: singleKey(key) } as const)
          : ({ kind: 'put', key, value: guardValue(guard) } as const);
      const { revision } = await conditionalTxn(store, [operation], { fence }, options);
      // What is guarded must be known before it is lost.
      guarded();
      directory.follow();
      return { revision };
    },

    async getGuard(service, freshness, options) {
      const range = singleKey(guardKey(service));
      const { kvs, revision } = await freshRead(
        (serializable) => store.read({ kind: 'read', range, serializable }, options),
        freshness,
      );
      return { guard: kvs[0] && readGuard(kvs[0].value), revision };
    },

    [Symbol.dispose]() {
      guards?.[Symbol.dispose]();
      directory[Symbol.dispose]();
    },
  };
}

function nothingToPick(service: string): DomainError {
  return new DomainError(
    'INSTANCE_NOT_FOUND',
    `Service "${service}" has no instance that is up and passes the filter; wait for one with WaitFor`,
    { service },
  );
}
