/** The lengths of the codes of all bytes, in bits (RFC 7541, appendix B). */
const HUFFMAN_BITS: readonly number[] = `
  13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
  6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
  13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
  15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
  20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
  22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
  26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
  20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26`
  .trim()
  .split(/\s+/)
  .map(Number);
const MAX_BITS = 30;

const CODES = new Map<number, string>();
for (let bits = 1, next = 0; bits <= MAX_BITS; bits += 1) {
  next *= 2;
  for (const [byte, length] of HUFFMAN_BITS.entries()) {
    if (length !== bits) continue;
    CODES.set(byte, next.toString(2).padStart(bits, '0'));
    next += 1;
  }
}

/** Returns the Huffman code of bytes, filled up with ones (RFC 7541, 5.2). */
export function huffman(bytes: Uint8Array): Buffer {
  const code = [...bytes].map((byte) => CODES.get(byte) ?? '').join('');
  const whole = code.padEnd(Math.ceil(code.length / 8) * 8, '1');
  return Buffer.from((whole.match(/.{8}/g) ?? []).map((bits) => Number.parseInt(bits, 2)));
}

/** Returns an integer behind the first bits of its byte, of which `prefixBits` are its own (RFC 7541, 5.1). */
export function hpackInteger(value: number, prefixBits: number, flags = 0): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.of(flags | value);
  const bytes = [flags | max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** How a string or a field is written. */
export interface HpackOptions {
  /** @default false */
  readonly isHuffman?: boolean;
  /** Whether the field is put in the table. @default false */
  readonly isKept?: boolean;
}

/** Returns a string, whose characters are bytes. */
export function hpackString(text: string, { isHuffman = false }: HpackOptions = {}): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const coded = isHuffman ? huffman(bytes) : bytes;
  return Buffer.concat([hpackInteger(coded.length, 7, isHuffman ? 0x80 : 0), coded]);
}

/** Returns a field of which name and value are written out. */
export function hpackField(name: string, value: string, options: HpackOptions = {}): Buffer {
  const first = Buffer.of(options.isKept === true ? 0x40 : 0);
  return Buffer.concat([first, hpackString(name, options), hpackString(value, options)]);
}

/** Returns fields that are written out. */
export function hpackFields(
  fields: readonly (readonly [name: string, value: string])[],
  options: HpackOptions = {},
): Buffer {
  return Buffer.concat(fields.map(([name, value]) => hpackField(name, value, options)));
}

/** Returns the field that has an index. */
export function hpackIndex(index: number): Buffer {
  return hpackInteger(index, 7, 0x80);
}

/** Returns a new size of the table, in bytes. */
export function hpackTableSize(bytes: number): Buffer {
  return hpackInteger(bytes, 5, 0x20);
}

/** The index of the field that was put last in the table. */
export const NEWEST_INDEX = 62;
