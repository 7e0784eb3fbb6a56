import type { FrameWriter } from './frame-writer.ts';
import type { Http2Stream } from './http2-stream.ts';
import { CODE, ConnectionError, DEFAULT_WINDOW_BYTES, FRAME_BYTES, MAX_WINDOW_BYTES } from './protocol.ts';

/**
 * The bodies of answers on their way to one connection: within the client's windows (RFC 9113, 5.2), and no faster than the socket
 * takes them. Streams that have to wait take turns, a frame each.
 */
export class SendQueue {
  readonly #writer: FrameWriter;
  /** Those that have something to send, the one whose turn it is first. Whose own window is used up comes back when that grows. */
  readonly #waiting = new Set<Http2Stream>();
  #window = DEFAULT_WINDOW_BYTES;
  #streamWindow = DEFAULT_WINDOW_BYTES;
  #waitingBytes = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** The window that a stream begins with, in bytes. */
  get streamWindow(): number {
    return this.#streamWindow;
  }

  /** What waits at all streams, in bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Sends data where nothing stands in its way; false: it has to wait. */
  sendAtOnce(stream: Http2Stream, chunks: readonly Uint8Array[], size: number, isLast: boolean): boolean {
    if (size > 0 && (size > FRAME_BYTES || size > this.#window || size > stream.sendWindow)) return false;
    if (size > 0 && (this.#writer.isFull || this.#waiting.size > 0)) return false;
    this.#send(stream, chunks, size, isLast);
    return true;
  }

  /** Sends what waits at a stream, of which `bytes` are new, as soon as it can. */
  wait(stream: Http2Stream, bytes: number): void {
    this.#waitingBytes += bytes;
    this.#waiting.add(stream);
    this.pump();
  }

  /** The client takes so many bytes more over all streams. Throws a {@link ConnectionError} for more than 2 GiB. */
  grow(bytes: number): void {
    this.#window += bytes;
    if (this.#window > MAX_WINDOW_BYTES)
      throw new ConnectionError(CODE.flowControlError, 'A window of more than 2 GiB');
    this.pump();
  }

  /** Streams begin with another window, which those that are open are to be given as well (6.9.2). Throws as {@link SendQueue.grow}. */
  setStreamWindow(bytes: number, streams: Iterable<Http2Stream>): void {
    const more = bytes - this.#streamWindow;
    this.#streamWindow = bytes;
    for (const stream of streams) {
      stream.sendWindow += more;
      if (stream.sendWindow > MAX_WINDOW_BYTES)
        throw new ConnectionError(CODE.flowControlError, 'A window of more than 2 GiB');
      if (stream.waitingBytes > 0 && stream.sendWindow > 0) this.#waiting.add(stream);
    }
    this.pump();
  }

  /** Lets everyone who waits send a frame in turn, until the windows are used up or the socket has enough. */
  pump(): void {
    for (const stream of this.#waiting) {
      if (this.#window <= 0 || this.#writer.isFull) return;
      this.#waiting.delete(stream);
      const size = Math.min(stream.waitingBytes, stream.sendWindow, this.#window, FRAME_BYTES);
      if (size <= 0) continue;
      this.#waitingBytes -= size;
      this.#send(stream, stream.takeWaiting(size), size, false);
      if (stream.waitingBytes > 0) this.#waiting.add(stream);
      else stream.drained();
    }
  }

  /** Sends nothing more of what waits at a stream. */
  forget(stream: Http2Stream): void {
    this.#waitingBytes -= stream.waitingBytes;
    this.#waiting.delete(stream);
  }

  #send(stream: Http2Stream, chunks: readonly Uint8Array[], size: number, isLast: boolean): void {
    stream.sendWindow -= size;
    this.#window -= size;
    this.#writer.beginData(stream.id, size, isLast);
    for (const chunk of chunks) this.#writer.append(chunk);
  }
}
