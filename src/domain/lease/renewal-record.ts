// What is written about a lease that the replicas renew: how long it lives, and what goes along with its renewal.

/** What a record does not say, for a lease whose first renewal is to tell. */
const ASSUMED_TTL_SECONDS = 10n;

/** Returns the value of a record. `also`: what else is to be known of the lease. */
export function renewalValue(ttlSeconds: bigint, also: object = {}): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...also, ttlSeconds: Number(ttlSeconds) }));
}

/** Returns the time to live that a record names, in seconds; of one that is not of this gateway's making, a short one. */
export function ttlIn(value: Uint8Array): bigint {
  try {
    const ttl: unknown = Reflect.get(Object(JSON.parse(new TextDecoder().decode(value))), 'ttlSeconds');
    return typeof ttl === 'number' && Number.isInteger(ttl) && ttl > 0 ? BigInt(ttl) : ASSUMED_TTL_SECONDS;
  } catch {
    return ASSUMED_TTL_SECONDS;
  }
}
