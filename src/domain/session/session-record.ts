// What is written about a session: a key on its lease, whose last revision is that of the stream that keeps it.

import { singleKey } from '../key-range.ts';
import { sessionKey } from '../lease/lease-keys.ts';
import type { KeyValue, Operation, OperationResult, ReadOperation } from '../store.ts';

const MAX_GRACE_MS = 86_400_000;

/** Returns the write of a session's record. */
export function recordOf(leaseId: bigint, graceMs: number): Operation {
  const value = new TextEncoder().encode(JSON.stringify({ graceMs }));
  return { kind: 'put', key: sessionKey(leaseId), value, leaseId };
}

/** Returns the read of a session's record. */
export function readOf(leaseId: bigint): ReadOperation {
  return { kind: 'read', range: singleKey(sessionKey(leaseId)) };
}

/** Returns the record that its read found. */
export function recordIn(result: OperationResult | undefined): KeyValue | undefined {
  return result?.kind === 'read' ? result.kvs[0] : undefined;
}

/** Returns the grace that a record grants, in milliseconds; one that is not of this gateway's making grants none. */
export function graceIn({ value }: KeyValue): number {
  try {
    const fields: unknown = JSON.parse(new TextDecoder().decode(value));
    const graceMs: unknown = typeof fields === 'object' && fields !== null && Reflect.get(fields, 'graceMs');
    return typeof graceMs === 'number' ? Math.min(graceMs, MAX_GRACE_MS) : 0;
  } catch {
    return 0;
  }
}
