import { CODE, ConnectionError, FRAME_BYTES, FRAME_HEAD_BYTES, PREFACE } from './protocol.ts';

/** Is given each frame whose payload is there; the payload is only valid until it returns, unless it is copied or kept on purpose. */
export type TakeFrame = (type: number, flags: number, streamId: number, payload: Buffer) => void;

/** Cuts what comes on a connection into frames. */
export class FrameReader {
  readonly #take: TakeFrame;
  #isOpened = false;
  /** What is not a whole frame yet. */
  #rest: Buffer | undefined;

  constructor(take: TakeFrame) {
    this.#take = take;
  }

  /** Throws a {@link ConnectionError} for what is no frame of HTTP/2, and what `take` throws. */
  read(chunk: Buffer): void {
    let bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isOpened) {
      const seen = Math.min(bytes.length, PREFACE.length);
      if (bytes.compare(PREFACE, 0, seen, 0, seen) !== 0)
        throw new ConnectionError(CODE.protocolError, 'This is not HTTP/2');
      this.#isOpened = seen === PREFACE.length;
      if (this.#isOpened) bytes = bytes.subarray(seen);
    }
    const end = this.#isOpened ? this.#readFrames(bytes) : 0;
    this.#rest = end === bytes.length ? undefined : bytes.subarray(end);
  }

  #readFrames(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > FRAME_BYTES) throw new ConnectionError(CODE.frameSizeError, `A frame of ${length} bytes`);
      const end = at + FRAME_HEAD_BYTES + length;
      if (end > bytes.length) break;
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      this.#take(
        bytes[at + 3] ?? 0,
        bytes[at + 4] ?? 0,
        streamId,
        bytes.subarray(at + FRAME_HEAD_BYTES, end),
      );
      at = end;
    }
    return at;
  }
}
