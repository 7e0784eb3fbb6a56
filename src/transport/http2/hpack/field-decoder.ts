import { HpackError } from './hpack-error.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

/** What the other side may keep in the table, in bytes: the default of SETTINGS_HEADER_TABLE_SIZE, which we do not change. */
const MAX_TABLE_BYTES = 4096;
/** What a field counts beyond its characters (RFC 7541, 4.1; RFC 9113, 6.5.2). */
const FIELD_OVERHEAD_BYTES = 32;
/** More than any index, length or size that can be right. */
const MAX_INTEGER = 2 ** 28;

/** A list of fields: names and values in turn. */
export type Fields = readonly string[];

/** Decodes the blocks of headers of one connection, in the order in which they come (RFC 7541). */
export class FieldDecoder {
  readonly #maxListBytes: number;
  /** Names and values in turn, the oldest field first. */
  readonly #table: string[] = [];
  #tableBytes = 0;
  #maxTableBytes = MAX_TABLE_BYTES;
  #tableVersion = 0;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @param maxListBytes the largest list that is returned: the characters of its fields and 32 bytes for each. */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** Changes with the table: as long as it is the same, the same block stands for the same fields. */
  get tableVersion(): number {
    return this.#tableVersion;
  }

  /**
   * Returns the fields of a block; undefined: they are too many, and the connection can go on without them. Throws an
   * {@link HpackError} for what is no HPACK.
   */
  decode(block: Buffer): Fields | undefined {
    this.#block = block;
    this.#at = 0;
    const fields: string[] = [];
    let listBytes = 0;
    let maySize = true;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (!maySize) throw new HpackError('a size of the table behind a field');
        this.#resize(this.#integer(5));
        continue;
      }
      maySize = false;
      this.#field(first, fields);
      listBytes += bytesOf(fields.at(-2), fields.at(-1));
      if (listBytes > this.#maxListBytes) fields.length = 0;
    }
    this.#block = EMPTY;
    return listBytes > this.#maxListBytes ? undefined : fields;
  }

  #field(first: number, fields: string[]): void {
    if (first & 0x80) {
      const index = this.#integer(7);
      fields.push(this.#lookUp(index, 0), this.#lookUp(index, 1));
      return;
    }
    const isKept = (first & 0x40) !== 0;
    const index = this.#integer(isKept ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#lookUp(index, 0);
    const value = this.#string();
    fields.push(name, value);
    if (isKept) this.#keep(name, value);
  }

  #lookUp(index: number, part: 0 | 1): string {
    const known = STATIC_TABLE[index - 1];
    if (known !== undefined) return known[part];
    const found = this.#table[this.#table.length - 2 * (index - STATIC_TABLE.length) + part];
    if (index === 0 || found === undefined) throw new HpackError(`no field has index ${index}`);
    return found;
  }

  #keep(name: string, value: string): void {
    this.#tableVersion += 1;
    this.#table.push(name, value);
    this.#tableBytes += bytesOf(name, value);
    this.#evict();
  }

  #resize(bytes: number): void {
    if (bytes > MAX_TABLE_BYTES) throw new HpackError(`a table of ${bytes} bytes`);
    this.#tableVersion += 1;
    this.#maxTableBytes = bytes;
    this.#evict();
  }

  #evict(): void {
    let evicted = 0;
    for (; this.#tableBytes > this.#maxTableBytes; evicted += 2)
      this.#tableBytes -= bytesOf(this.#table[evicted], this.#table[evicted + 1]);
    if (evicted > 0) this.#table.splice(0, evicted);
  }

  /** An integer whose first bits are the last `prefixBits` of the byte at hand (RFC 7541, 5.1). */
  #integer(prefixBits: number): number {
    const max = 2 ** prefixBits - 1;
    let value = this.#byte() & max;
    if (value < max) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (value > MAX_INTEGER || factor > MAX_INTEGER) throw new HpackError('an integer that is too large');
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const isHuffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#block.length) throw new HpackError('a string that is cut off');
    if (isHuffman) return decodeHuffman(this.#block.subarray(start, this.#at));
    return this.#block.toString('latin1', start, this.#at);
  }

  #byte(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new HpackError('a block that is cut off');
    this.#at += 1;
    return byte;
  }
}

const EMPTY = Buffer.alloc(0);

function bytesOf(name = '', value = ''): number {
  return name.length + value.length + FIELD_OVERHEAD_BYTES;
}
