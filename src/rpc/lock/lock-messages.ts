// Locks as messages.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type HolderSchema, type LockSchema, Mode } from '../../../gen/concord/lock/v1/lock_pb.ts';
import type { LockMode } from '../../domain/lock/lock-keys.ts';
import type { Claim, Holder, LockState } from '../../domain/lock/lock-state.ts';

const MAX_WAITERS = 1_000;

const MODES = {
  mutex: Mode.MUTEX,
  read: Mode.READ,
  write: Mode.WRITE,
  semaphore: Mode.SEMAPHORE,
} as const satisfies Record<LockMode, Mode>;

/** Returns how a request wants a lock. */
export function claimOf(request: {
  readonly mode: Mode;
  readonly permits: number;
  readonly owner: string;
}): Claim {
  return { mode: modeOf(request.mode), permits: request.permits, owner: request.owner };
}

/** Returns a mode as the domain names it; not set, it is a mutex. */
export function modeOf(mode: Mode): LockMode {
  switch (mode) {
    case Mode.READ:
      return 'read';
    case Mode.WRITE:
      return 'write';
    case Mode.SEMAPHORE:
      return 'semaphore';
    default:
      return 'mutex';
  }
}

/** Returns a lock as a message. */
export function lockMessage({ name, holders, waiters }: LockState): MessageInitShape<typeof LockSchema> {
  return {
    name,
    holders: holders.map(holderMessage),
    waiters: waiters.slice(0, MAX_WAITERS).map(({ enqueueWallMs, ...waiter }) => ({
      ...waiter,
      mode: MODES[waiter.mode],
      enqueueTime: timestampFromMs(enqueueWallMs),
    })),
    waiterCount: waiters.length,
  };
}

/** Returns a holder as a message. */
export function holderMessage({
  token,
  mode,
  permits,
  leaseId,
  owner,
  acquireWallMs,
}: Holder): MessageInitShape<typeof HolderSchema> {
  return {
    fencingToken: token,
    mode: MODES[mode],
    permits,
    leaseId,
    owner,
    acquireTime: timestampFromMs(acquireWallMs),
  };
}
