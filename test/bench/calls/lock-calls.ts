import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  ReleaseRequestSchema,
  ReleaseResponseSchema,
} from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import type { Caller } from '../load/caller.ts';
import { expectWritten } from './expect-answer.ts';
import { bytesField, integerField } from './message-fields.ts';

/** One who takes locks, one at a time. */
export interface LockClient {
  /** Waits until the lock is held. */
  acquire(name: string): Promise<HeldLock>;
  /** Gives up what it has besides locks. */
  close(): Promise<void>;
}

/** A lock that is held. */
export interface HeldLock {
  /** Resolves when the server has answered that others may hold the lock. */
  release(): Promise<void>;
}

/** Opens a client of the locks of one server. */
export type OpenLockClient = (caller: Caller) => Promise<LockClient>;

const TTL_SECONDS = 60n;

/**
 * Concord's locks: Acquire grants a lease, takes a place in the queue and, once nobody stands before it, holds the lock; Release
 * gives it back, and has the lease revoked after its answer.
 */
export async function concordLocks(caller: Caller): Promise<LockClient> {
  return {
    async acquire(name) {
      const request = create(AcquireRequestSchema, { name, ttl: { seconds: TTL_SECONDS } });
      const acquired = await caller.call(
        '/concord.lock.v1.LockService/Acquire',
        toBinary(AcquireRequestSchema, request),
      );
      const { fencingToken } = fromBinary(AcquireResponseSchema, acquired);
      if (fencingToken <= 0n) throw new Error(`Acquire came back with the token ${fencingToken}`);
      return {
        async release() {
          const release = create(ReleaseRequestSchema, { name, fencingToken });
          const released = await caller.call(
            '/concord.lock.v1.LockService/Release',
            toBinary(ReleaseRequestSchema, release),
          );
          expectWritten(fromBinary(ReleaseResponseSchema, released).revision);
        },
      };
    },
    async close() {},
  };
}

/** etcd's own lock service with a lease for each lock, as Concord does it: LeaseGrant and Lock; Unlock and LeaseRevoke. */
export async function etcdLocksOnOwnLeases(caller: Caller): Promise<LockClient> {
  return {
    async acquire(name) {
      const leaseId = await grantLease(caller);
      const key = await lock(caller, name, leaseId);
      return {
        async release() {
          await unlock(caller, key);
          await revokeLease(caller, leaseId);
        },
      };
    },
    async close() {},
  };
}

/** etcd's own lock service with one lease for all locks of a client: Lock; Unlock. */
export async function etcdLocksOnOneLease(caller: Caller): Promise<LockClient> {
  const leaseId = await grantLease(caller);
  return {
    async acquire(name) {
      const key = await lock(caller, name, leaseId);
      return { release: () => unlock(caller, key) };
    },
    close: () => revokeLease(caller, leaseId),
  };
}

/** The fields, by their numbers in etcd's v3lock.proto and rpc.proto, that the calls need. */
const FIELD = {
  header: 1,
  headerRevision: 3,
  lockName: 1,
  lockLease: 2,
  lockKey: 2,
  unlockKey: 1,
  grantTtl: 1,
  grantedId: 2,
  revokeId: 1,
} as const;

async function grantLease(caller: Caller): Promise<bigint> {
  const request = new BinaryWriter().tag(FIELD.grantTtl, WireType.Varint).int64(TTL_SECONDS).finish();
  const leaseId = integerField(await caller.call('/etcdserverpb.Lease/LeaseGrant', request), FIELD.grantedId);
  if (leaseId === undefined) throw new Error('etcd granted no lease');
  return leaseId;
}

async function revokeLease(caller: Caller, leaseId: bigint): Promise<void> {
  const request = new BinaryWriter().tag(FIELD.revokeId, WireType.Varint).int64(leaseId).finish();
  expectHeader(await caller.call('/etcdserverpb.Lease/LeaseRevoke', request));
}

async function lock(caller: Caller, name: string, leaseId: bigint): Promise<Uint8Array> {
  const request = new BinaryWriter()
    .tag(FIELD.lockName, WireType.LengthDelimited)
    .string(name)
    .tag(FIELD.lockLease, WireType.Varint)
    .int64(leaseId)
    .finish();
  const key = bytesField(await caller.call('/v3lockpb.Lock/Lock', request), FIELD.lockKey);
  if (key.length === 0) throw new Error('etcd locked without a key');
  return key;
}

async function unlock(caller: Caller, key: Uint8Array): Promise<void> {
  const request = new BinaryWriter().tag(FIELD.unlockKey, WireType.LengthDelimited).bytes(key).finish();
  expectHeader(await caller.call('/v3lockpb.Lock/Unlock', request));
}

function expectHeader(answer: Buffer): void {
  expectWritten(integerField(bytesField(answer, FIELD.header), FIELD.headerRevision));
}
