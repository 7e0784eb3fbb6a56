// Reads protobuf's wire format.

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
/** Seven bytes of a varint hold 49 bits, and are exact as a JavaScript number. */
const EXACT_BYTES = 7;

/** A message that is read field by field. What it gives are views of the bytes that it reads. Throws where they are no message. */
export class WireReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;
  #wireType = VARINT;

  constructor(buffer: Buffer, start: number = 0, end: number = buffer.length) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  /** Goes to the next field, and returns its number; 0 at the end. Its value is then to be read, or skipped. */
  next(): number {
    if (this.#at === this.#end) return 0;
    const tag = this.number();
    this.#wireType = tag % 8;
    return Math.floor(tag / 8);
  }

  /** Reads a number, a bool or an enum; above 2^53 it is not exact. */
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      if (byte < 128) return value + byte * scale;
      value += (byte - 128) * scale;
    }
  }

  /** Reads an int64. */
  int64(): bigint {
    const start = this.#at;
    let end = start;
    while (end < this.#end && (this.#buffer[end] ?? 0) >= 128) end++;
    if (end - start < EXACT_BYTES) return BigInt(this.number());
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  }

  /** Reads bytes. */
  bytes(): Buffer {
    const length = this.number();
    return this.#buffer.subarray(this.#skip(length), this.#at);
  }

  /** Returns a reader of the message that is the field's value. */
  message(): WireReader {
    const length = this.number();
    return new WireReader(this.#buffer, this.#skip(length), this.#at);
  }

  /** Skips the field's value. */
  skip(): void {
    switch (this.#wireType) {
      case VARINT:
        this.number();
        return;
      case FIXED64:
        this.#skip(8);
        return;
      case BYTES:
        this.#skip(this.number());
        return;
      case FIXED32:
        this.#skip(4);
        return;
      default:
        throw new Error(`wire type ${this.#wireType} is none of proto3's`);
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new Error('a message ends within a field');
    return this.#buffer[this.#at++] ?? 0;
  }

  /** Goes on by so many bytes, and returns where they begin. */
  #skip(bytes: number): number {
    const start = this.#at;
    if (bytes > this.#end - start) throw new Error('a message ends within a field');
    this.#at = start + bytes;
    return start;
  }
}
