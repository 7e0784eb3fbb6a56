// Writes protobuf's wire format.

const VARINT = 0;
const BYTES = 2;
const FIRST_BYTES = 1_024;
/** The numbers below it are exact as a JavaScript number. */
const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * A message that is written from its end, so that the length of what is nested is known where it is to be written: fields are
 * given last first. What is undefined is left out; a zero is written, since a oneof tells it from nothing. Source:
 * https://protobuf.dev/programming-guides/encoding/
 */
export class WireWriter {
  #buffer: Buffer;
  #start: number;

  /** @param capacity how many bytes are there at first; it grows. @default 1024 */
  constructor(capacity: number = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafe(capacity);
    this.#start = capacity;
  }

  /** Writes a bool where it is true. */
  bool(field: number, value: boolean | undefined): void {
    if (value) this.number(field, 1);
  }

  /** Writes an enum, or a number from 0 to 2^53 - 1. */
  number(field: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#varint(value);
    this.#varint(field * 8 + VARINT);
  }

  /** Writes an int64. */
  int64(field: number, value: bigint | undefined): void {
    if (value === undefined) return;
    if (value >= 0n && value <= MAX_EXACT) this.#varint(Number(value));
    else this.#longVarint(BigInt.asUintN(64, value));
    this.#varint(field * 8 + VARINT);
  }

  /** Writes bytes. */
  bytes(field: number, value: Uint8Array | undefined): void {
    if (value === undefined) return;
    this.#reserve(value.length);
    this.#start -= value.length;
    this.#buffer.set(value, this.#start);
    this.#varint(value.length);
    this.#varint(field * 8 + BYTES);
  }

  /** Writes the message that `write` writes. */
  message(field: number, write: () => void): void {
    const fromEnd = this.#buffer.length - this.#start;
    write();
    this.#varint(this.#buffer.length - this.#start - fromEnd);
    this.#varint(field * 8 + BYTES);
  }

  /** Returns the whole. */
  finish(): Buffer {
    return this.#buffer.subarray(this.#start);
  }

  #varint(value: number): void {
    let length = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
    this.#reserve(length);
    this.#start -= length;
    let at = this.#start;
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[at++] = (rest % 128) + 128;
    this.#buffer[at] = rest;
  }

  #longVarint(value: bigint): void {
    const groups: number[] = [];
    for (let rest = value; rest > 0n; rest >>= 7n) groups.push(Number(rest & 127n) + 128);
    groups[groups.length - 1] = (groups.at(-1) ?? 0) - 128;
    this.#reserve(groups.length);
    this.#start -= groups.length;
    this.#buffer.set(groups, this.#start);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#start) return;
    const used = this.#buffer.length - this.#start;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, used + bytes));
    this.#buffer.copy(grown, grown.length - used, this.#start);
    this.#start = grown.length - used;
    this.#buffer = grown;
  }
}
