import type { Fields } from './field-decoder.ts';
import { STATIC_TABLE } from './static-table.ts';

const NAMES = new Map<string, number>();
const FIELDS = new Map<string, Map<string, number>>();
for (const [i, [name, value]] of STATIC_TABLE.entries()) {
  const index = i + 1;
  if (!NAMES.has(name)) NAMES.set(name, index);
  if (value !== '') FIELDS.set(name, (FIELDS.get(name) ?? new Map<string, number>()).set(value, index));
}

/** Tells the other side that nothing is put in its table; to stand before the first field of a connection (RFC 7541, 6.3). */
export const NO_TABLE = 0x20;
/** What a name, an index or a length takes at most, beyond the characters. */
const MAX_INTEGER_BYTES = 6;

/** Returns how many bytes a list of fields takes at most. */
export function maxEncodedBytes(fields: Fields): number {
  let bytes = 0;
  for (const text of fields) bytes += MAX_INTEGER_BYTES + text.length;
  return bytes;
}

/**
 * Writes a list of fields from `at` on, and returns where it ends.
 *
 * Fields of the static table are an index, all others are written out: nothing is put in the other side's table, so that a block means the same
 * wherever it stands.
 */
export function encodeFields(fields: Fields, bytes: Uint8Array, at: number): number {
  let end = at;
  for (let i = 0; i < fields.length; i += 2)
    end = encodeField(fields[i] ?? '', fields[i + 1] ?? '', bytes, end);
  return end;
}

function encodeField(name: string, value: string, bytes: Uint8Array, at: number): number {
  const index = FIELDS.get(name)?.get(value);
  if (index !== undefined) return encodeInteger(index, 0x80, 7, bytes, at);
  const nameIndex = NAMES.get(name) ?? 0;
  let end = encodeInteger(nameIndex, 0, 4, bytes, at);
  if (nameIndex === 0) end = encodeString(name, bytes, end);
  return encodeString(value, bytes, end);
}

function encodeString(text: string, bytes: Uint8Array, at: number): number {
  const start = encodeInteger(text.length, 0, 7, bytes, at);
  for (let i = 0; i < text.length; i += 1) bytes[start + i] = text.charCodeAt(i);
  return start + text.length;
}

function encodeInteger(
  value: number,
  flags: number,
  prefixBits: number,
  bytes: Uint8Array,
  at: number,
): number {
  const max = 2 ** prefixBits - 1;
  if (value < max) {
    bytes[at] = flags | value;
    return at + 1;
  }
  bytes[at] = flags | max;
  let end = at + 1;
  let rest = value - max;
  for (; rest >= 128; rest >>>= 7, end += 1) bytes[end] = 0x80 | (rest & 0x7f);
  bytes[end] = rest;
  return end + 1;
}
