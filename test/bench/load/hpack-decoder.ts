/** One header field of an answer. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Reads the header blocks of one connection, in the order in which they come: each may build on those before. */
export interface HpackDecoder {
  /** @throws Error on what no server of ours sends: longer codes than ASCII text needs, or an index that is not there. */
  decode(bytes: Buffer, start: number, end: number): readonly HeaderField[];
}

/** RFC 7541, appendix A, from index 1. */
const STATIC_TABLE: readonly HeaderField[] = [
  ':authority;:method=GET;:method=POST;:path=/;:path=/index.html;:scheme=http;:scheme=https;:status=200;:status=204',
  ':status=206;:status=304;:status=400;:status=404;:status=500;accept-charset;accept-encoding=gzip, deflate',
  'accept-language;accept-ranges;accept;access-control-allow-origin;age;allow;authorization;cache-control',
  'content-disposition;content-encoding;content-language;content-length;content-location;content-range;content-type',
  'cookie;date;etag;expect;expires;from;host;if-match;if-modified-since;if-none-match;if-range;if-unmodified-since',
  'last-modified;link;location;max-forwards;proxy-authenticate;proxy-authorization;range;referer;refresh;retry-after',
  'server;set-cookie;strict-transport-security;transfer-encoding;user-agent;vary;via;www-authenticate',
]
  .flatMap((line) => line.split(';'))
  .map((text) => {
    const [name = '', value = ''] = text.split('=');
    return { name, value };
  });

/**
 * RFC 7541, appendix B: the characters whose codes have so many bits, in the order of the codes. The code is canonical, so
 * this says all about it; characters of 19 bits and more do not occur in the headers of an answer.
 */
const HUFFMAN_CHARACTERS: ReadonlyMap<number, string> = new Map([
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
]);

const LONGEST_CODE_BITS = 15;
const MAX_TABLE_BYTES = 4_096;
const ENTRY_OVERHEAD_BYTES = 32;

/** Creates the decoder of one connection, with HTTP/2's default table of 4,096 bytes. */
export function createHpackDecoder(): HpackDecoder {
  const dynamicTable: HeaderField[] = [];
  let tableBytes = 0;
  let maxTableBytes = MAX_TABLE_BYTES;
  let bytes: Buffer = Buffer.alloc(0);
  let position = 0;

  function decode(block: Buffer, start: number, end: number): readonly HeaderField[] {
    bytes = block;
    position = start;
    const fields: HeaderField[] = [];
    while (position < end) {
      const first = byteAt(position);
      if (first & 0x80) {
        fields.push(entryAt(readInteger(7)));
      } else if (first & 0x40) {
        const field = readLiteral(6);
        insert(field);
        fields.push(field);
      } else if (first & 0x20) {
        maxTableBytes = readInteger(5);
        evict();
      } else {
        fields.push(readLiteral(4));
      }
    }
    return fields;
  }

  function byteAt(offset: number): number {
    const byte = bytes[offset];
    if (byte === undefined) throw new Error('a header block ends early');
    return byte;
  }

  function entryAt(index: number): HeaderField {
    const dynamicIndex = index - STATIC_TABLE.length - 1;
    const entry = dynamicIndex < 0 ? STATIC_TABLE[index - 1] : dynamicTable[dynamicIndex];
    if (entry === undefined) throw new Error(`there is no header with index ${index}`);
    return entry;
  }

  function readLiteral(prefixBits: number): HeaderField {
    const nameIndex = readInteger(prefixBits);
    const name = nameIndex === 0 ? readString() : entryAt(nameIndex).name;
    return { name, value: readString() };
  }

  function readInteger(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = byteAt(position++) & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = byteAt(position++);
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  function readString(): string {
    const isHuffman = (byteAt(position) & 0x80) !== 0;
    const length = readInteger(7);
    const start = position;
    position += length;
    return isHuffman ? decodeHuffman(bytes, start, position) : bytes.toString('latin1', start, position);
  }

  function insert(field: HeaderField): void {
    dynamicTable.unshift(field);
    tableBytes += sizeOf(field);
    evict();
  }

  function evict(): void {
    while (tableBytes > maxTableBytes) {
      const oldest = dynamicTable.pop();
      tableBytes -= oldest === undefined ? tableBytes : sizeOf(oldest);
    }
  }

  return { decode };
}

/** @throws Error with all the fields, unless one of them is this */
export function expectField(fields: readonly HeaderField[], name: string, value: string): void {
  if (fields.some((field) => field.name === name && field.value === value)) return;
  throw new Error(`expected ${name}: ${value} but got ${describeFields(fields)}`);
}

/** All fields in one line. */
export function describeFields(fields: readonly HeaderField[]): string {
  return fields.map(({ name, value }) => `${name}: ${value}`).join(', ');
}

function sizeOf({ name, value }: HeaderField): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}

interface CodeLength {
  readonly firstCode: number;
  readonly characters: string;
}

const CODE_LENGTHS = codeLengths();

/** A canonical code counts up within a length, and goes on shifted in the next. */
function codeLengths(): readonly CodeLength[] {
  const lengths: CodeLength[] = [];
  let firstCode = 0;
  for (let bits = 0; bits <= LONGEST_CODE_BITS; bits += 1) {
    const characters = HUFFMAN_CHARACTERS.get(bits) ?? '';
    lengths.push({ firstCode, characters });
    firstCode = (firstCode + characters.length) << 1;
  }
  return lengths;
}

function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  let text = '';
  let code = 0;
  let bits = 0;
  for (let position = start; position < end; position += 1) {
    const byte = bytes[position] ?? 0;
    for (let bit = 7; bit >= 0; bit -= 1) {
      code = (code << 1) | ((byte >> bit) & 1);
      bits += 1;
      const length = CODE_LENGTHS[bits];
      if (length === undefined) throw new Error('a header holds a character that is no plain text');
      const character = length.characters[code - length.firstCode];
      if (character === undefined) continue;
      text += character;
      code = 0;
      bits = 0;
    }
  }
  return text;
}
