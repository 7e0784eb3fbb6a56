import type { ControlFrames } from './control-frames.ts';
import { checkFrame, dependsOn, withoutPadding, withoutPriority } from './frame-rules.ts';
import { HeaderBlock } from './header-block.ts';
import type { Http2Connection } from './http2-connection.ts';
import { Http2Stream } from './http2-stream.ts';
import { CODE, ConnectionError, FLAG, FRAME, MAX_WINDOW_BYTES } from './protocol.ts';
import { readSettings } from './read-settings.ts';
import { type RequestHead, RequestHeads } from './request-head.ts';
import { MAX_STREAMS, type StreamTable } from './stream-table.ts';
import { TokenBucket } from './token-bucket.ts';

/** Frames that carry nothing, at once and each second after that. */
const IDLE_FRAME_BURST = 20_000;
const IDLE_FRAMES_PER_SECOND = 2_000;
/** Settings that change the window of every stream count as one such frame more for so many streams. */
const STREAMS_PER_IDLE_FRAME = 10;
/** Data that is a smaller part than one of so many of the buffer that it came in is copied. */
const MIN_SHARE = 8;
/** What may wait for a client's windows, in bytes over all of its streams, before further ones are refused. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024;

/** Does what the frames of a client say (RFC 9113, 6). */
export class IncomingFrames {
  readonly #connection: Http2Connection;
  readonly #streams: StreamTable;
  readonly #control: ControlFrames;
  readonly #opened: (stream: Http2Stream) => void;
  readonly #heads = new RequestHeads();
  readonly #idleFrameLimit = new TokenBucket(IDLE_FRAME_BURST, IDLE_FRAMES_PER_SECOND);
  /** Of which further frames are to come, before any other. */
  #block: HeaderBlock | undefined;
  #hasSettings = false;

  /** @param opened is told of each request; see `ConnectionListener`. */
  constructor(
    connection: Http2Connection,
    streams: StreamTable,
    control: ControlFrames,
    opened: (stream: Http2Stream) => void,
  ) {
    this.#connection = connection;
    this.#streams = streams;
    this.#control = control;
    this.#opened = opened;
  }

  /** Takes the next frame. Throws a {@link ConnectionError} or an HpackError for what ends the connection. */
  take(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (!this.#hasSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0))
      throw new ConnectionError(CODE.protocolError, 'The first frame is none of settings');
    if (this.#block !== undefined && (type !== FRAME.continuation || streamId !== this.#block.streamId))
      throw new ConnectionError(CODE.protocolError, 'A frame within a block of headers');
    checkFrame(type, flags, streamId, payload.length);
    switch (type) {
      case FRAME.data:
        this.#data(flags, streamId, payload);
        return;
      case FRAME.headers:
        this.#headers(flags, streamId, payload);
        return;
      case FRAME.continuation:
        this.#continuation(flags, payload);
        return;
      case FRAME.priority:
        this.#priority(streamId, payload);
        return;
      case FRAME.rstStream:
        this.#rstStream(streamId);
        return;
      case FRAME.settings:
        if (!(flags & FLAG.ack)) this.#settings(payload);
        return;
      case FRAME.ping:
        if (flags & FLAG.ack) this.#connection.answerPing();
        else this.#control.pong(payload);
        return;
      case FRAME.windowUpdate:
        this.#windowUpdate(streamId, payload.readUInt32BE(0) & 0x7fff_ffff);
        return;
      default:
        // GOAWAY needs no answer, and what is not known is passed over (5.5).
        this.#countIdleFrames(1);
    }
  }

  #data(flags: number, streamId: number, payload: Buffer): void {
    const { receiveWindow } = this.#connection;
    const stream = this.#streams.get(streamId);
    receiveWindow.take(payload.length);
    if (stream === undefined || stream.isReceived) {
      receiveWindow.consume(payload.length);
      this.#outOfPlace(streamId, stream);
      return;
    }
    const data = withoutPadding(flags, payload);
    const isLast = (flags & FLAG.endStream) !== 0;
    const fault = stream.receive(payload.length, data.length, isLast);
    if (fault !== undefined) {
      receiveWindow.consume(payload.length);
      this.#connection.reset(stream, fault);
      return;
    }
    if (data.length < payload.length) stream.consume(payload.length - data.length);
    if (data.length === 0 && !isLast) this.#countIdleFrames(1);
    if (data.length > 0 && stream.receiver.data(isLast ? data : ownBytes(data))) stream.consume(data.length);
    if (isLast) this.#received(stream);
  }

  #headers(flags: number, streamId: number, payload: Buffer): void {
    if (streamId % 2 === 0)
      throw new ConnectionError(CODE.protocolError, 'A stream that only a server may open');
    const content = withoutPadding(flags, payload);
    const block = withoutPriority(flags, content);
    const isLast = (flags & FLAG.endStream) !== 0;
    const isSelfDependent = block !== content && dependsOn(streamId, content);
    const begun = new HeaderBlock(streamId, isLast, isSelfDependent, block);
    if (flags & FLAG.endHeaders) this.#blockEnded(begun);
    else this.#block = begun;
  }

  #continuation(flags: number, payload: Buffer): void {
    const block = this.#block;
    if (block === undefined) throw new ConnectionError(CODE.protocolError, 'A continuation of nothing');
    block.add(payload);
    if (!(flags & FLAG.endHeaders)) return;
    this.#block = undefined;
    this.#blockEnded(block);
  }

  #blockEnded({ streamId, isLast, isSelfDependent, bytes }: HeaderBlock): void {
    if (streamId <= this.#streams.lastId) {
      this.#trailers(streamId, isLast, bytes);
      return;
    }
    const connection = this.#connection;
    const head = this.#heads.read(bytes);
    // What is too many is read all the same: the table of HPACK goes on.
    if (!this.#streams.begin(streamId)) return;
    if (head === 'malformed' || isSelfDependent) connection.refuse(streamId, CODE.protocolError);
    else if (head === 'too large') connection.refuse(streamId, CODE.enhanceYourCalm);
    else if (isLast && (head.contentLength ?? 0) > 0) connection.refuse(streamId, CODE.protocolError);
    else if (this.#streams.size >= MAX_STREAMS || connection.queue.waitingBytes > MAX_WAITING_BYTES)
      connection.refuse(streamId, CODE.refusedStream);
    else this.#open(streamId, head, isLast);
  }

  #open(streamId: number, head: RequestHead, isLast: boolean): void {
    const stream = new Http2Stream(streamId, head, this.#connection);
    this.#streams.add(stream);
    stream.isReceived = isLast;
    this.#opened(stream);
    if (isLast) this.#received(stream);
  }

  #trailers(streamId: number, isLast: boolean, bytes: Buffer): void {
    const areAllowed = this.#heads.readTrailers(bytes);
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.isReceived) this.#outOfPlace(streamId, stream);
    else if (areAllowed && isLast && stream.receive(0, 0, true) === undefined) this.#received(stream);
    else this.#connection.reset(stream, CODE.protocolError);
  }

  /** All of a request has come. */
  #received(stream: Http2Stream): void {
    if (stream.isClosed) return;
    if (stream.isSent) this.#connection.end(stream);
    else stream.receiver.end();
  }

  /** A frame for a stream that expects none: no longer, or not any more from here. */
  #outOfPlace(streamId: number, stream: Http2Stream | undefined): void {
    if (stream !== undefined) {
      this.#connection.reset(stream, CODE.streamClosed);
      return;
    }
    this.#streams.checkEnded(streamId);
    this.#countIdleFrames(1);
  }

  #priority(streamId: number, payload: Buffer): void {
    this.#countIdleFrames(1);
    const isWhole = payload.length === 5;
    if (isWhole && !dependsOn(streamId, payload)) return;
    const code = isWhole ? CODE.protocolError : CODE.frameSizeError;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) throw new ConnectionError(code, 'A priority that cannot be');
    this.#connection.reset(stream, code);
  }

  #rstStream(streamId: number): void {
    if (this.#streams.isIdle(streamId))
      throw new ConnectionError(CODE.protocolError, 'A reset of a stream that is not open');
    this.#streams.countReset();
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#connection.lose(stream);
  }

  #settings(payload: Buffer): void {
    const streamWindow = readSettings(payload);
    if (this.#hasSettings) this.#countIdleFrames(1);
    this.#hasSettings = true;
    this.#control.acknowledgeSettings();
    if (streamWindow === undefined) return;
    this.#countIdleFrames(Math.floor(this.#streams.size / STREAMS_PER_IDLE_FRAME));
    this.#connection.queue.setStreamWindow(streamWindow, this.#streams.values());
  }

  #windowUpdate(streamId: number, more: number): void {
    if (streamId === 0) {
      if (more === 0) throw new ConnectionError(CODE.protocolError, 'A window that grows by 0');
      this.#connection.queue.grow(more);
      return;
    }
    if (this.#streams.isIdle(streamId))
      throw new ConnectionError(CODE.protocolError, 'A window of a stream that is not open');
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += more;
    if (more === 0) this.#connection.reset(stream, CODE.protocolError);
    else if (stream.sendWindow > MAX_WINDOW_BYTES) this.#connection.reset(stream, CODE.flowControlError);
    else if (stream.waitingBytes > 0) this.#connection.queue.wait(stream, 0);
  }

  #countIdleFrames(count: number): void {
    if (!this.#idleFrameLimit.take(count))
      throw new ConnectionError(CODE.enhanceYourCalm, 'Too many frames that carry nothing');
  }
}

/** Returns bytes that can be kept until more come: not a few of a large buffer, which would be kept with them. */
function ownBytes(data: Buffer): Buffer {
  return data.length * MIN_SHARE < data.buffer.byteLength ? Buffer.from(data) : data;
}
