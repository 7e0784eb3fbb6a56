import { createHash } from 'node:crypto';

/** A key and the one value that the bench ever gives it. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** How many keys a row spreads its calls over. */
export const KEY_COUNT = 10_000;

/** The size of every value. */
export const VALUE_BYTES = 256;

/** Shares no factor with `KEY_COUNT`, so that steps of it visit every key before one comes again. */
const STEP = 7_919;

/**
 * The keys under `prefix`, each with a value of its own, in an order that jumps across the key space. All servers are asked
 * for them in this order: any 100 calls open at once are for 100 keys, far apart.
 */
export function spreadEntries(prefix: string): readonly Entry[] {
  return Array.from({ length: KEY_COUNT }, (_, index) => {
    const key = `${prefix}${String((index * STEP) % KEY_COUNT).padStart(5, '0')}`;
    return { key, value: valueFor(key) };
  });
}

/** The first key after all that begin with `prefix`. */
export function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** The value for a key, or for any other text: another for each. */
export function valueFor(key: string): string {
  const digests = Array.from({ length: VALUE_BYTES / 64 }, (_, part) =>
    createHash('sha256').update(`${key} ${part}`).digest('hex'),
  );
  return digests.join('');
}
