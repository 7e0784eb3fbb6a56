// Putting instances in, changing them and taking them out.
//
// An instance's lease is its own, and what is written about that lease goes with the instance: who renews it, which stream keeps
// it. So taking an instance out ends whatever keeps it. The lease itself is left to end by itself, without keys: a lease that is
// gone is what tells an instance that expired from one that was taken out.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import { endLease } from '../lease/end-lease.ts';
import { grantLease } from '../lease/grant-lease.ts';
import { renewedKey, sessionKey } from '../lease/lease-keys.ts';
import type {
  GrantedLease,
  KeyValue,
  KeyValueStore,
  LeaseStore,
  Operation,
  OperationOptions,
} from '../store.ts';
import { conditionalTxn } from '../writing/conditional-txn.ts';
import type { DiscoveryKeys } from './discovery-keys.ts';
import {
  type Instance,
  type InstanceDetails,
  instanceValue,
  isInstance,
  type Liveness,
  readInstance,
  type Status,
} from './instance.ts';

/** One instance, by its names. */
export interface InstanceName {
  readonly service: string;
  readonly instanceId: string;
}

/** What must be true for a change to happen. */
export interface ChangeConditions {
  readonly expectedRevision: bigint | undefined;
  readonly fence: Fence | undefined;
}

/** What it needs. */
export interface RegistrationDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly keys: DiscoveryKeys;
}

const ATTEMPTS = 10;
/** A change that happens whatever is there. */
export const NO_CONDITIONS: ChangeConditions = { expectedRevision: undefined, fence: undefined };

/** Reads an instance from the store; undefined: there is none. */
export async function readRegistered(
  { store, keys }: RegistrationDeps,
  { service, instanceId }: InstanceName,
  options: OperationOptions,
): Promise<{
  readonly instance: Instance | undefined;
  readonly kv: KeyValue | undefined;
  readonly revision: bigint;
}> {
  const range = singleKey(keys.ofInstance(service, instanceId));
  const { kvs, revision } = await store.read({ kind: 'read', range }, options);
  const [kv] = kvs;
  const read = kv && readInstance(service, instanceId, kv);
  return { instance: read !== undefined && isInstance(read) ? read : undefined, kv, revision };
}

/** Writes an instance on a lease in place of whatever was there, and ends what kept that. */
export async function putInstance(
  deps: RegistrationDeps,
  name: InstanceName,
  details: InstanceDetails,
  { leaseId, liveness }: { readonly leaseId: bigint; readonly liveness: Liveness },
  also: readonly Operation[],
  conditions: ChangeConditions,
  options: OperationOptions,
): Promise<Instance> {
  const { clock, keys } = deps;
  const key = keys.ofInstance(name.service, name.instanceId);
  const value = instanceValue(details, { registerWallMs: clock.wallMs(), liveness });
  const { revision, before } = await change(deps, name, conditions, options, (kv) => [
    { kind: 'put', key, value, leaseId },
    ...also,
    ...(kv === undefined ? [] : endOf(kv, name, leaseId)),
  ]);
  if (before !== undefined && isLeftBehind(before, name, leaseId)) await endUnused(deps, before, options);
  return instanceAt(name, { key, value, leaseId }, revision);
}

/** Takes an instance out; `unregistered` says whether it was there. */
export async function removeInstance(
  deps: RegistrationDeps,
  name: InstanceName,
  conditions: ChangeConditions,
  options: OperationOptions,
): Promise<{ readonly unregistered: boolean; readonly revision: bigint }> {
  const range = singleKey(deps.keys.ofInstance(name.service, name.instanceId));
  const { revision, before } = await change(deps, name, conditions, options, (kv) =>
    kv === undefined ? [] : [{ kind: 'delete', range }, ...endOf(kv, name, 0n)],
  );
  return { unregistered: before !== undefined, revision };
}

/** Changes what an instance says of itself. Rejects with INSTANCE_NOT_FOUND. */
export async function changeInstance(
  deps: RegistrationDeps,
  name: InstanceName,
  to: (instance: Instance) => InstanceDetails,
  conditions: ChangeConditions,
  options: OperationOptions,
): Promise<Instance> {
  const key = deps.keys.ofInstance(name.service, name.instanceId);
  let put: { readonly key: Uint8Array; readonly value: Uint8Array; readonly leaseId: bigint } | undefined;
  const { revision } = await change(deps, name, conditions, options, (kv) => {
    const read = kv && readInstance(name.service, name.instanceId, kv);
    if (read === undefined || !isInstance(read)) throw instanceNotFound(name);
    put = { key, value: instanceValue(to(read), read), leaseId: read.leaseId };
    return [{ kind: 'put', ...put }];
  });
  if (put === undefined) throw instanceNotFound(name);
  return instanceAt(name, put, revision);
}

/** Says whether an instance takes work. Rejects with INSTANCE_NOT_FOUND. */
export function setStatus(
  deps: RegistrationDeps,
  name: InstanceName,
  status: Status,
  conditions: ChangeConditions,
  options: OperationOptions,
): Promise<Instance> {
  return changeInstance(deps, name, (instance) => ({ ...instance, status }), conditions, options);
}

/** Runs with a new lease, which is ended again where the write surely did not happen. */
export async function withNewLease<T>(
  deps: RegistrationDeps,
  ttlSeconds: bigint,
  options: OperationOptions,
  write: (lease: GrantedLease) => Promise<T>,
): Promise<{ readonly value: T; readonly leaseId: bigint; readonly expireMs: number }> {
  const sentMs = deps.clock.now();
  const lease = await grantLease(deps, { ttlSeconds }, options);
  try {
    const value = await write(lease);
    return { value, leaseId: lease.leaseId, expireMs: sentMs + Number(lease.ttlSeconds) * 1_000 };
  } catch (error) {
    if (error instanceof DomainError && error.reason !== 'OUTCOME_UNKNOWN') void endLease(deps, lease);
    throw error;
  }
}

/** Returns the INSTANCE_NOT_FOUND error of an instance that is not registered. */
export function instanceNotFound({ service, instanceId }: InstanceName): DomainError {
  return new DomainError(
    'INSTANCE_NOT_FOUND',
    `Instance "${instanceId}" of service "${service}" is not registered; register it again`,
    { service, instance_id: instanceId },
  );
}

/** Writes what follows from what is there, at a moment at which nothing else changes it. */
async function change(
  { store, keys }: RegistrationDeps,
  { service, instanceId }: InstanceName,
  { expectedRevision, fence }: ChangeConditions,
  options: OperationOptions,
  operationsOn: (kv: KeyValue | undefined) => readonly Operation[],
): Promise<{ readonly revision: bigint; readonly before: KeyValue | undefined }> {
  const range = singleKey(keys.ofInstance(service, instanceId));
  for (let attempts = 1; ; attempts++) {
    const { kvs, revision: readAt } = await store.read({ kind: 'read', range }, options);
    const [before] = kvs;
    const found = before?.modRevision ?? 0n;
    if (expectedRevision !== undefined && expectedRevision !== found) {
      // Says what it is instead, in the words of every mutation.
      await conditionalTxn(store, [], { fence, expectations: [{ range, expectedRevision }] }, options);
    }
    const operations = operationsOn(before);
    if (operations.length === 0) return { revision: readAt, before };
    try {
      const expectations = [{ range, expectedRevision: found }];
      const { revision } = await conditionalTxn(store, operations, { fence, expectations }, options);
      return { revision, before };
    } catch (error) {
      const isRaced = error instanceof DomainError && error.reason === 'REVISION_MISMATCH';
      if (!isRaced || expectedRevision !== undefined || attempts === ATTEMPTS) throw error;
    }
  }
}

/** What ends the keeping of an instance that goes; a lease that is `kept` goes on. */
function endOf(kv: KeyValue, name: InstanceName, kept: bigint): readonly Operation[] {
  if (!isLeftBehind(kv, name, kept)) return [];
  return [renewedKey(kv.leaseId), sessionKey(kv.leaseId)].map((key) => ({
    kind: 'delete',
    range: singleKey(key),
  }));
}

/** Whether the lease of an instance that goes was its own. */
function isLeftBehind(kv: KeyValue, { service, instanceId }: InstanceName, kept: bigint): boolean {
  const read = readInstance(service, instanceId, kv);
  const isOurs = isInstance(read) && read.liveness !== undefined;
  return isOurs && kv.leaseId !== 0n && kv.leaseId !== kept;
}

/** Ends the lease of an instance that was replaced, unless something else lives on it. */
async function endUnused(
  { leases }: RegistrationDeps,
  { leaseId }: KeyValue,
  options: OperationOptions,
): Promise<void> {
  try {
    const { keys } = await leases.timeToLive(leaseId, { withKeys: true }, options);
    if (keys.length === 0) await leases.revoke(leaseId, options);
  } catch {
    // The instance is replaced: a lease that is not ended now ends by itself.
  }
}

function instanceAt(
  { service, instanceId }: InstanceName,
  put: { readonly key: Uint8Array; readonly value: Uint8Array; readonly leaseId: bigint },
  revision: bigint,
): Instance {
  const kv = { ...put, createRevision: revision, modRevision: revision, version: 1n };
  const read = readInstance(service, instanceId, kv);
  if (!isInstance(read)) throw new Error(`wrote an instance that cannot be read: ${read.reason}`);
  return read;
}
