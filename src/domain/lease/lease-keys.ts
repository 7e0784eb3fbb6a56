// The keys that leases are written about in: `/concord/lease/<kind>/<id>`.

import { prefixRange } from '../key-range.ts';
import { numberSegment, segmentNumber } from '../name-segment.ts';

const PREFIX = '/concord/lease/';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** All of them. */
export const LEASE_KEYS = prefixRange(encoder.encode(PREFIX));

/**
 * What a key says. `renewed`: this lease is renewed by the replicas. `session`: it lives as long as a stream. `replica`: a gateway
 * that is alive.
 */
export type LeaseKey =
  | { readonly kind: 'renewed'; readonly leaseId: bigint }
  | { readonly kind: 'session'; readonly leaseId: bigint }
  | { readonly kind: 'replica'; readonly replicaId: string };

/** Returns the key that exists while the replicas renew a lease. */
export function renewedKey(leaseId: bigint): Uint8Array {
  return encoder.encode(`${PREFIX}renewed/${numberSegment(leaseId)}`);
}

/** Returns the key that exists while a session keeps a lease. */
export function sessionKey(leaseId: bigint): Uint8Array {
  return encoder.encode(`${PREFIX}session/${numberSegment(leaseId)}`);
}

/** Returns the key that exists while a gateway is alive. */
export function replicaKey(replicaId: string): Uint8Array {
  return encoder.encode(`${PREFIX}replica/${replicaId}`);
}

/** Returns what a key stands for, or undefined where it is none of these. */
export function readLeaseKey(key: Uint8Array): LeaseKey | undefined {
  const [kind, id = ''] = decoder.decode(key).slice(PREFIX.length).split('/');
  if (kind === 'replica') return { kind, replicaId: id };
  const leaseId = segmentNumber(id);
  return (kind === 'renewed' || kind === 'session') && leaseId !== undefined ? { kind, leaseId } : undefined;
}
