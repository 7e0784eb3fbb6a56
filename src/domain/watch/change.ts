// What happened to a key, as subscribers are told.

import type { KeyValue, LeaseStore, OperationOptions, StoreEvent } from '../store.ts';

/** One change of one key. */
export interface Change {
  readonly type: 'created' | 'updated' | 'deleted' | 'expired';
  /** The key as it is now; of one that is gone only its name, and as `modRevision` when it went. */
  readonly kv: KeyValue;
  /** What the key held before, where it is known. */
  readonly previous: KeyValue | undefined;
}

/** Returns whether the key is there after the change. */
export function isPut({ type }: Pick<Change, 'type'>): boolean {
  return type === 'created' || type === 'updated';
}

/** Returns the leases of keys that were deleted: whether such a key was deleted by a call or by its lease shows in the lease. */
export function leasesOfDeleted(events: readonly StoreEvent[]): readonly bigint[] {
  const leases = events.map((event) => (event.kind === 'delete' ? (event.previous?.leaseId ?? 0n) : 0n));
  return [...new Set(leases)].filter((lease) => lease !== 0n);
}

/**
 * Returns those of `leaseIds` that have ended. The store does not say why a key was deleted; a lease that ended took its keys along.
 * A lease that cannot be asked for counts as alive.
 */
export async function endedLeases(
  leaseIds: readonly bigint[],
  leases: Pick<LeaseStore, 'isAlive'>,
  options: OperationOptions,
): Promise<ReadonlySet<bigint>> {
  const alive = await Promise.all(leaseIds.map((id) => leases.isAlive(id, options).catch(() => true)));
  return new Set(leaseIds.filter((_, i) => alive[i] === false));
}

/** Returns what an event of the store is to subscribers. */
export function changeOf(event: StoreEvent, ended: ReadonlySet<bigint>): Change {
  if (event.kind === 'put') {
    const { kv, previous } = event;
    return { type: kv.createRevision === kv.modRevision ? 'created' : 'updated', kv, previous };
  }
  const { key, revision, previous } = event;
  const isExpired = previous !== undefined && ended.has(previous.leaseId);
  return { type: isExpired ? 'expired' : 'deleted', kv: goneKey(key, revision), previous };
}

/** Returns what is left of a key that was deleted at `revision`. */
export function goneKey(key: Uint8Array, revision: bigint): KeyValue {
  return {
    key,
    value: new Uint8Array(),
    createRevision: 0n,
    modRevision: revision,
    version: 0n,
    leaseId: 0n,
  };
}

/** Measured after garbage collection: 1.6 KB a change where a revision has five, 2.8 KB where it has one. */
const OBJECT_BYTES = 2_000;

/** Returns how much memory a change holds, roughly, in bytes, with the messages that are made of it and kept. */
export function sizeOf({ kv, previous }: Change): number {
  return (
    OBJECT_BYTES + kv.key.length + kv.value.length + (previous === undefined ? 0 : previous.value.length)
  );
}
