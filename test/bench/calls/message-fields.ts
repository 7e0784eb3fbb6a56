import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** The first of the fields with a number that holds a message or bytes; without one, nothing. */
export function bytesField(message: Uint8Array, wanted: number): Uint8Array {
  return allFields(message, wanted, (reader) => reader.bytes())[0] ?? new Uint8Array();
}

/** Every message with a number. */
export function messageFields(message: Uint8Array, wanted: number): readonly Uint8Array[] {
  return allFields(message, wanted, (reader) => reader.bytes());
}

/** The text with a number, or undefined. */
export function textField(message: Uint8Array, wanted: number): string | undefined {
  return allFields(message, wanted, (reader) => reader.string())[0];
}

/** The whole number with a number, or undefined. */
export function integerField(message: Uint8Array, wanted: number): bigint | undefined {
  const [value] = allFields(message, wanted, (reader) => reader.int64());
  return value === undefined ? undefined : BigInt(value);
}

function allFields<T>(message: Uint8Array, wanted: number, read: (reader: BinaryReader) => T): readonly T[] {
  const reader = new BinaryReader(message);
  const found: T[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) found.push(read(reader));
    else reader.skip(wireType, field);
  }
  return found;
}

/**
 * Counts the fields with a number in the message from `start` to `end`, by their lengths alone: for messages of which only so much
 * is to be known that reading them would cost more than what is measured.
 *
 * @throws Error on what a message of a watch does not hold: a number above 15, a type of fixed length, or an end too early
 */
export function countFields(bytes: Buffer, start: number, end: number, wanted: number): number {
  let position = start;
  let count = 0;
  while (position < end) {
    const tag = bytes[position++] ?? 0;
    const wireType = tag & 7;
    if (tag > 0x7f || (wireType !== WireType.Varint && wireType !== WireType.LengthDelimited)) {
      throw new Error(`a field with tag ${tag} was not expected`);
    }
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[position++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (wireType === WireType.LengthDelimited) position += value;
    if (tag >> 3 === wanted) count += 1;
  }
  if (position !== end) throw new Error('a message ends early');
  return count;
}
