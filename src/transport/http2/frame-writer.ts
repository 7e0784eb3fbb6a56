import type { Socket } from 'node:net';
import { encodeFields, maxEncodedBytes, NO_TABLE } from './hpack/encode-fields.ts';
import type { Fields } from './hpack/field-decoder.ts';
import { FLAG, FRAME, FRAME_BYTES, FRAME_HEAD_BYTES } from './protocol.ts';

const BUFFER_BYTES = 64 * 1024;
const MAX_SPARE_BUFFERS = 32;
/** What is less, in bytes, is copied where it has to wait. */
const MIN_KEPT_BYTES = BUFFER_BYTES / 2;

/** Those that no connection writes to at the moment. */
const spareBuffers: Buffer[] = [];

/**
 * Writes frames to a connection. What is written in one turn of the event loop leaves together, in one copy: an answer is three
 * small frames, and a turn has many answers.
 */
export class FrameWriter {
  readonly #socket: Socket;
  #buffer: Buffer | undefined;
  #used = 0;
  #hasSentFields = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Whether the socket has enough for now; its 'drain' tells when it takes more. */
  get isFull(): boolean {
    return this.#socket.writableLength >= this.#socket.writableHighWaterMark;
  }

  /** Writes a frame of any type with a payload of at most 16 KiB. */
  write(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.#head(payload.byteLength, type, flags, streamId);
    this.#copy(payload);
  }

  /** Writes a frame whose payload is one number of four bytes. */
  writeNumber(type: number, streamId: number, value: number): void {
    this.#head(4, type, 0, streamId);
    const buffer = this.#reserve(4);
    this.#used = buffer.writeUInt32BE(value, this.#used);
  }

  /** Writes the head of a frame of data; `size` bytes are to follow with {@link FrameWriter.append}. */
  beginData(streamId: number, size: number, isLast: boolean): void {
    this.#head(size, FRAME.data, isLast ? FLAG.endStream : 0, streamId);
  }

  append(bytes: Uint8Array): void {
    this.#copy(bytes);
  }

  /** Writes a block of headers, in as many frames as it takes. */
  writeFields(streamId: number, fields: Fields, isLast: boolean): void {
    const maxBytes = FRAME_HEAD_BYTES + 1 + maxEncodedBytes(fields);
    const flags = isLast ? FLAG.endStream : 0;
    if (maxBytes > FRAME_BYTES) {
      this.#writeLongBlock(streamId, fields, maxBytes, flags);
      return;
    }
    const buffer = this.#reserve(maxBytes);
    const start = this.#used;
    const end = this.#encode(fields, buffer, start + FRAME_HEAD_BYTES);
    writeHead(
      buffer,
      start,
      end - start - FRAME_HEAD_BYTES,
      FRAME.headers,
      flags | FLAG.endHeaders,
      streamId,
    );
    this.#used = end;
  }

  /** Hands over what has been written. Otherwise that is done at the end of the turn. */
  flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    this.#buffer = undefined;
    const written = buffer.subarray(0, this.#used);
    const isSmall = this.#used < MIN_KEPT_BYTES;
    // Behind others it may wait for long, and is not to keep a whole buffer.
    const isCopied = isSmall && this.#socket.writableLength > 0;
    if (this.#used > 0 && this.#socket.writable)
      this.#socket.write(isCopied ? Buffer.from(written) : written);
    // The system has its copy, or there is nobody to send it to.
    const isFree = isCopied || this.#socket.writableLength === 0;
    if (isFree && spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(buffer);
  }

  #writeLongBlock(streamId: number, fields: Fields, maxBytes: number, flags: number): void {
    const bytes = Buffer.allocUnsafe(maxBytes);
    const block = bytes.subarray(0, this.#encode(fields, bytes, 0));
    for (let at = 0; at < block.length; at += FRAME_BYTES) {
      const isLast = at + FRAME_BYTES >= block.length;
      const type = at === 0 ? FRAME.headers : FRAME.continuation;
      const own = (at === 0 ? flags : 0) | (isLast ? FLAG.endHeaders : 0);
      this.write(type, own, streamId, block.subarray(at, at + FRAME_BYTES));
    }
  }

  #encode(fields: Fields, bytes: Uint8Array, at: number): number {
    if (this.#hasSentFields) return encodeFields(fields, bytes, at);
    this.#hasSentFields = true;
    bytes[at] = NO_TABLE;
    return encodeFields(fields, bytes, at + 1);
  }

  #head(length: number, type: number, flags: number, streamId: number): void {
    const buffer = this.#reserve(FRAME_HEAD_BYTES);
    writeHead(buffer, this.#used, length, type, flags, streamId);
    this.#used += FRAME_HEAD_BYTES;
  }

  #copy(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; ) {
      const buffer = this.#reserve(1);
      const size = Math.min(bytes.byteLength - at, buffer.length - this.#used);
      buffer.set(size === bytes.byteLength ? bytes : bytes.subarray(at, at + size), this.#used);
      this.#used += size;
      at += size;
    }
  }

  /** Returns the buffer, with room for so many bytes. */
  #reserve(bytes: number): Buffer {
    if (this.#buffer !== undefined && this.#buffer.length - this.#used >= bytes) return this.#buffer;
    if (this.#buffer === undefined) process.nextTick(flush, this);
    else this.flush();
    this.#buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#used = 0;
    return this.#buffer;
  }
}

function flush(writer: FrameWriter): void {
  writer.flush();
}

function writeHead(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
}
