import type { Outlet } from '../direct/outlet.ts';
import { httpDate } from '../http-date.ts';
import type { Http2Connection } from './http2-connection.ts';
import { CODE, DEFAULT_WINDOW_BYTES } from './protocol.ts';
import type { RequestHead } from './request-head.ts';

/** What takes in a stream of HTTP/2. Nothing more is told after `closed`. */
export interface StreamReceiver {
  /** A part of the body. False: it is not done with yet, and {@link Http2Stream.consume} is called when it is. */
  data(chunk: Buffer): boolean;
  /** The body is whole. */
  end(): void;
  /**
   * The stream is over.
   *
   * @param isWhole whether all of the answer was taken by the connection, and the client did not turn it down before.
   */
  closed(isWhole: boolean): void;
}

/** So many bytes that wait for the client's windows are enough for one stream. */
const ENOUGH_BYTES = 16 * 1024;
/** How long the rest of a body that nobody wants may come before the client is told, in milliseconds. */
const STOP_UPLOAD_MS = 1_000;

/** A request and its answer. */
export class Http2Stream implements Outlet {
  readonly id: number;
  readonly head: RequestHead;
  readonly connection: Http2Connection;
  receiver: StreamReceiver = DEAF;
  /** How much of the body may still come, and how much of the answer may be sent, in bytes. */
  receiveWindow = DEFAULT_WINDOW_BYTES;
  sendWindow: number;
  receivedBytes = 0;
  hasBegun = false;
  /** Whether all of the body has come, and whether all of the answer has gone. */
  isReceived = false;
  isSent = false;
  isClosed = false;
  #consumedBytes = 0;
  #waiting: Uint8Array[] | undefined;
  #waitingBytes = 0;
  /** What ends the answer, once `end` was called: its trailers, or null for none. */
  #ending: readonly string[] | null | undefined;
  #resolveWritable: (() => void) | undefined;
  /** Tells the client to send no more of a body that nobody wants. */
  #stopUpload: NodeJS.Timeout | undefined;

  constructor(id: number, head: RequestHead, connection: Http2Connection) {
    this.id = id;
    this.head = head;
    this.connection = connection;
    this.sendWindow = connection.queue.streamWindow;
  }

  /** What waits for the client's windows, or for the connection, in bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Sends the head of an answer that comes before the answer, as 100 (RFC 9110, 15.2). */
  inform(status: number): void {
    if (!this.isClosed && !this.hasBegun)
      this.connection.sendFields(this, [':status', String(status)], false);
  }

  begin(status: number, fields: readonly string[]): void {
    this.#begin(status, fields, false);
  }

  /** Sends an answer that has no body. */
  beginAndEnd(status: number, fields: readonly string[]): void {
    if (this.#begin(status, fields, true)) this.#finish();
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.isClosed || this.#ending !== undefined) return true;
    let size = 0;
    for (const chunk of chunks) size += chunk.byteLength;
    if (size === 0) return true;
    if (this.#waiting === undefined && this.connection.queue.sendAtOnce(this, chunks, size, false))
      return true;
    this.#wait(chunks, size);
    return this.#waitingBytes < ENOUGH_BYTES;
  }

  untilWritable(): Promise<void> {
    if (this.isClosed || this.#waitingBytes < ENOUGH_BYTES) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolveWritable = resolve;
    });
  }

  end(chunk?: Uint8Array, trailers?: readonly string[]): void {
    if (this.isClosed || this.#ending !== undefined) return;
    this.#ending = trailers ?? null;
    const size = chunk?.byteLength ?? 0;
    if (this.#waiting === undefined) {
      if (size === 0 || chunk === undefined) {
        this.#finishSending();
        return;
      }
      if (this.connection.queue.sendAtOnce(this, [chunk], size, trailers === undefined)) {
        if (trailers !== undefined) this.connection.sendFields(this, trailers, true);
        this.#finish();
        return;
      }
    }
    if (chunk !== undefined && size > 0) this.#wait([chunk], size);
  }

  /** Ends the stream before its time. */
  reset(code: number): void {
    this.connection.reset(this, code);
  }

  destroy(): void {
    this.reset(CODE.internalError);
  }

  /**
   * A part of the body has come, which took `frameBytes` of the window; the last one with `isLast`. Returns the code of what is wrong with it:
   * more than was allowed, or not as much as the request said.
   */
  receive(frameBytes: number, bytes: number, isLast: boolean): number | undefined {
    this.receiveWindow -= frameBytes;
    if (this.receiveWindow < 0) return CODE.flowControlError;
    this.receivedBytes += bytes;
    const { contentLength } = this.head;
    if (contentLength !== undefined) {
      const isRight = isLast ? this.receivedBytes === contentLength : this.receivedBytes <= contentLength;
      if (!isRight) return CODE.protocolError;
    }
    this.isReceived = isLast;
    return undefined;
  }

  /** Bytes of the body are done with: as many more may come. */
  consume(bytes: number): void {
    this.connection.receiveWindow.consume(bytes);
    this.#consumedBytes += bytes;
    if (this.isReceived || this.isClosed || this.#consumedBytes < DEFAULT_WINDOW_BYTES / 2) return;
    this.receiveWindow += this.#consumedBytes;
    this.connection.grant(this, this.#consumedBytes);
    this.#consumedBytes = 0;
  }

  /** Returns at most so many bytes of what waits, in order; for the queue. */
  takeWaiting(maxBytes: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let left = maxBytes;
    while (left > 0 && this.#waiting !== undefined) {
      const [first] = this.#waiting;
      if (first === undefined) {
        this.#waiting = undefined;
      } else if (first.byteLength <= left) {
        this.#waiting.shift();
        taken.push(first);
        left -= first.byteLength;
      } else {
        this.#waiting[0] = first.subarray(left);
        taken.push(first.subarray(0, left));
        left = 0;
      }
    }
    this.#waitingBytes -= maxBytes - left;
    if (this.#waitingBytes === 0) this.#waiting = undefined;
    return taken;
  }

  /** Everything that waited has been sent; for the queue. */
  drained(): void {
    this.#release();
    if (this.#ending !== undefined && !this.isClosed) this.#finishSending();
  }

  /** Is told by the connection that the stream is over. */
  close(isWhole: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.#stopUpload !== undefined) clearTimeout(this.#stopUpload);
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    this.#release();
    const { receiver } = this;
    this.receiver = DEAF;
    receiver.closed(isWhole);
  }

  #begin(status: number, fields: readonly string[], isLast: boolean): boolean {
    if (this.isClosed || this.hasBegun) return false;
    this.hasBegun = true;
    this.connection.sendFields(this, [':status', String(status), ...fields, 'date', httpDate()], isLast);
    return true;
  }

  #wait(chunks: readonly Uint8Array[], size: number): void {
    this.#waiting ??= [];
    for (const chunk of chunks) this.#waiting.push(chunk);
    this.#waitingBytes += size;
    this.connection.queue.wait(this, size);
  }

  #finishSending(): void {
    const trailers = this.#ending;
    if (trailers) this.connection.sendFields(this, trailers, true);
    else this.connection.queue.sendAtOnce(this, [], 0, true);
    this.#finish();
  }

  /** All of the answer is with the connection. A client that still sends its body is let do so for a second (RFC 9113, 8.1). */
  #finish(): void {
    this.#ending ??= null;
    this.isSent = true;
    if (this.isReceived) {
      this.connection.end(this);
      return;
    }
    const { receiver } = this;
    this.receiver = DEAF;
    receiver.closed(true);
    this.#stopUpload = setTimeout(() => this.reset(CODE.noError), STOP_UPLOAD_MS).unref();
  }

  #release(): void {
    const resolve = this.#resolveWritable;
    this.#resolveWritable = undefined;
    resolve?.();
  }
}

/** Throws away what comes. */
const DEAF: StreamReceiver = {
  data: () => true,
  end() {},
  closed() {},
};
