// Which keys are meant: one, or neighbours in the order of their bytes.

/** One key, or all keys from `start` (inclusive) to `end` (exclusive); without `end`, to the end of all keys. */
export type KeyRange =
  | { readonly kind: 'key'; readonly key: Uint8Array }
  | { readonly kind: 'range'; readonly start: Uint8Array; readonly end: Uint8Array | undefined };

const latin1 = new TextDecoder('latin1');

/** Returns the range of exactly one key. */
export function singleKey(key: Uint8Array): KeyRange {
  return { kind: 'key', key };
}

/** Returns the range of every key that begins with `prefix`; an empty prefix is every key there is. */
export function prefixRange(prefix: Uint8Array): KeySpan {
  return { kind: 'range', start: prefix, end: prefixEnd(prefix) };
}

/**
 * Returns the first key behind all keys that begin with `prefix`, or undefined where there is none: an empty prefix, or
 * one of bytes 0xff only. (Etcd's clientv3.GetPrefixRangeEnd.)
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0xff;
    if (byte < 0xff) {
      const end = new Uint8Array(prefix.subarray(0, i + 1));
      end[i] = byte + 1;
      return end;
    }
  }
  return undefined;
}

/** Neighbouring keys, as opposed to a single one. */
export type KeySpan = Extract<KeyRange, { readonly kind: 'range' }>;

/** Returns a range as neighbouring keys: of a single key, from it to the next that there can be. */
export function spanOf(range: KeyRange): KeySpan {
  return range.kind === 'range' ? range : { kind: 'range', start: range.key, end: keyAfter(range.key) };
}

/** Returns whether a key lies in a range. */
export function contains(range: KeyRange, key: Uint8Array): boolean {
  if (range.kind === 'key') return compareKeys(range.key, key) === 0;
  return compareKeys(key, range.start) >= 0 && (range.end === undefined || compareKeys(key, range.end) < 0);
}

/** Returns a text that stands for a key in a map: one character a byte, so that keys that are not UTF-8 stay apart. */
export function keyId(key: Uint8Array): string {
  return latin1.decode(key);
}

/** Returns the smallest key greater than `key`. */
export function keyAfter(key: Uint8Array): Uint8Array {
  return concatKeys(key, Uint8Array.of(0));
}

/** Returns `a` followed by `b`. */
export function concatKeys(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Orders keys as the store does, byte by byte: negative where `a` comes first, 0 where they are equal. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Returns whether `key` begins with `prefix`. */
export function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && prefix.every((byte, i) => key[i] === byte);
}
