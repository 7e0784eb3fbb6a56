import type { Socket } from 'node:net';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackError } from './hpack/hpack-error.ts';
import { Http2Stream } from './http2-stream.ts';
import {
  CODE,
  ConnectionError,
  DEFAULT_WINDOW_BYTES,
  FLAG,
  FRAME,
  FRAME_BYTES,
  MAX_FRAME_BYTES,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  SETTING,
} from './protocol.ts';
import { MAX_HEADER_LIST_BYTES, type RequestHead, RequestHeads } from './request-head.ts';
import { TokenBucket } from './token-bucket.ts';

/** Calls at once on one connection; callers that need more open another one. */
const MAX_STREAMS = 20_000;
/** Streams that end before their time, at once and each second after that: more is no proxy's, but an attack. */
const RESET_BURST = 20_000;
const RESETS_PER_SECOND = 2_000;
/** Frames that carry nothing, likewise. */
const IDLE_FRAME_BURST = 20_000;
const IDLE_FRAMES_PER_SECOND = 2_000;
/** What a client may send before it is told to go on, over all streams, in bytes: 64 KiB would stall many streams that say nothing. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** What is to be sent to a client that does not read, in bytes, before nothing more is read from it. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** Of streams that were reset so many are remembered, since frames for them may be on their way. */
const MAX_REMEMBERED = 1_000;
/** How long a client may take to close its side of a connection that was closed on ours, in milliseconds. */
const CLOSE_TIMEOUT_MS = 500;

/** What a connection tells its server. */
export interface ConnectionListener {
  /** A request has come. To be answered, it is to be given a receiver before this returns. */
  readonly opened: (stream: Http2Stream) => void;
  /** The client, or the network, has broken the connection off, or it has broken the protocol. */
  readonly failed: (error: Error) => void;
}

/** A connection of HTTP/2, seen from the server (RFC 9113). */
export class Http2Connection {
  readonly socket: Socket;
  readonly #listener: ConnectionListener;
  readonly #writer: FrameWriter;
  readonly #reader = new FrameReader((...frame) => this.#frame(...frame));
  readonly #heads = new RequestHeads();
  readonly #streams = new Map<number, Http2Stream>();
  /** Those that have something to send, the one whose turn it is first. */
  readonly #waiting = new Set<Http2Stream>();
  /** Streams that ended before their client could know. */
  readonly #resets = new Set<number>();
  readonly #resetLimit = new TokenBucket(RESET_BURST, RESETS_PER_SECOND);
  readonly #idleFrameLimit = new TokenBucket(IDLE_FRAME_BURST, IDLE_FRAMES_PER_SECOND);
  readonly #pings: (() => void)[] = [];
  #peer: string | undefined;
  #block: HeaderBlock | undefined;
  #hasSettings = false;
  #lastStreamId = 0;
  /** The last stream that is served. */
  #maxStreamId = MAX_STREAM_ID;
  #sendWindow = DEFAULT_WINDOW_BYTES;
  #streamSendWindow = DEFAULT_WINDOW_BYTES;
  #receiveWindow = WINDOW_BYTES;
  #consumedBytes = 0;
  #isClosing = false;
  #hasFailed = false;

  constructor(socket: Socket, listener: ConnectionListener) {
    this.socket = socket;
    this.#listener = listener;
    this.#writer = new FrameWriter(socket);
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(SETTING.maxConcurrentStreams, 0);
    settings.writeUInt32BE(MAX_STREAMS, 2);
    settings.writeUInt16BE(SETTING.maxHeaderListSize, 6);
    settings.writeUInt32BE(MAX_HEADER_LIST_BYTES, 8);
    this.#writer.write(FRAME.settings, 0, 0, settings);
    this.#writer.writeNumber(FRAME.windowUpdate, 0, WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#drained());
    // Whoever leaves makes this fire; 'close' is what we go by.
    socket.on('error', (error) => listener.failed(error));
    socket.on('close', () => this.#closeStreams());
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** The address of the client. */
  get peer(): string {
    this.#peer ??= this.socket.remoteAddress ?? '';
    return this.#peer;
  }

  /** Calls `answered` when the client has answered, and so has read all that was sent before. */
  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.#writer.write(FRAME.ping, 0, 0, Buffer.alloc(8));
  }

  /** Tells the client to open no more streams, and goes on to serve those that it opens before it has read that. */
  announceEnd(): void {
    this.#goAway(MAX_STREAM_ID, CODE.noError, '');
  }

  /** Serves the streams that are open, and no further ones; then it closes the connection. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#maxStreamId = this.#lastStreamId;
    this.#goAway(this.#lastStreamId, CODE.noError, '');
    this.#endIfDone();
  }

  /** Breaks the connection off. */
  destroy(): void {
    this.socket.destroy();
  }

  // --- For its streams.

  /** Sends data where nothing stands in its way; false: it has to wait. */
  sendAtOnce(stream: Http2Stream, chunks: readonly Uint8Array[], size: number, isLast: boolean): boolean {
    if (size > 0 && (size > FRAME_BYTES || size > this.#sendWindow || size > stream.sendWindow)) return false;
    if (size > 0 && (this.#writer.isFull || this.#waiting.size > 0)) return false;
    this.#sendData(stream, chunks, size, isLast);
    return true;
  }

  sendFields(stream: Http2Stream, fields: readonly string[], isLast: boolean): void {
    this.#writer.writeFields(stream.id, fields, isLast);
  }

  /** Sends what waits at a stream as soon as it can. */
  wait(stream: Http2Stream): void {
    this.#waiting.add(stream);
    this.#pump();
  }

  /** Ends a stream whose request has come and whose answer is sent. */
  end(stream: Http2Stream): void {
    this.#forget(stream, true);
  }

  /** Ends a stream before its time. */
  reset(stream: Http2Stream, code: number): void {
    if (stream.isClosed) return;
    this.#sendReset(stream.id, code);
    this.#forget(stream, false);
  }

  /** As many bytes may come again. */
  consume(bytes: number): void {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < WINDOW_BYTES / 2) return;
    this.#receiveWindow += this.#consumedBytes;
    this.#writer.writeNumber(FRAME.windowUpdate, 0, this.#consumedBytes);
    this.#consumedBytes = 0;
  }

  /** Tells the client that it may send so many bytes more of a body. */
  grant(stream: Http2Stream, bytes: number): void {
    this.#writer.writeNumber(FRAME.windowUpdate, stream.id, bytes);
  }

  // --- What comes.

  #read(chunk: Buffer): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      this.#fail(error);
    }
    if (this.socket.writableLength > MAX_UNREAD_BYTES) this.socket.pause();
  }

  #drained(): void {
    this.socket.resume();
    this.#pump();
  }

  #fail(error: unknown): void {
    const known =
      error instanceof HpackError ? new ConnectionError(CODE.compressionError, error.message) : error;
    if (!(known instanceof ConnectionError)) throw known;
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#listener.failed(known);
    this.#goAway(this.#lastStreamId, known.code, known.message);
    this.#isClosing = true;
    this.#closeStreams();
    this.#endSocket();
  }

  #frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (this.#hasFailed) return;
    if (!this.#hasSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0))
      throw new ConnectionError(CODE.protocolError, 'The first frame is none of settings');
    if (this.#block !== undefined && (type !== FRAME.continuation || streamId !== this.#block.streamId))
      throw new ConnectionError(CODE.protocolError, 'A frame within a block of headers');
    if (
      OF_STREAMS.has(type) !== (streamId !== 0) &&
      type <= FRAME.continuation &&
      type !== FRAME.windowUpdate
    )
      throw new ConnectionError(
        CODE.protocolError,
        'A frame of a stream without one, or the other way round',
      );
    switch (type) {
      case FRAME.data:
        this.#data(flags, streamId, payload);
        return;
      case FRAME.headers:
        this.#headers(flags, streamId, payload);
        return;
      case FRAME.continuation:
        if (this.#block === undefined)
          throw new ConnectionError(CODE.protocolError, 'A continuation of nothing');
        this.#block.add(payload);
        if (flags & FLAG.endHeaders) this.#blockEnded(this.#block);
        return;
      case FRAME.priority:
        this.#priority(streamId, payload);
        return;
      case FRAME.rstStream:
        this.#rstStream(streamId, payload);
        return;
      case FRAME.settings:
        this.#settings(flags, payload);
        return;
      case FRAME.ping:
        this.#ping(flags, payload);
        return;
      case FRAME.windowUpdate:
        this.#windowUpdate(streamId, payload);
        return;
      case FRAME.pushPromise:
        throw new ConnectionError(CODE.protocolError, 'A promise of a client');
      default:
        // GOAWAY needs no answer, and what is not known is passed over (5.5).
        this.#countIdleFrame();
    }
  }

  #data(flags: number, streamId: number, payload: Buffer): void {
    const stream = this.#streams.get(streamId);
    this.#receiveWindow -= payload.length;
    if (this.#receiveWindow < 0)
      throw new ConnectionError(CODE.flowControlError, 'More data than was allowed');
    if (stream === undefined || stream.isReceived) {
      this.consume(payload.length);
      this.#outOfPlace(streamId, stream);
      return;
    }
    stream.receiveWindow -= payload.length;
    if (stream.receiveWindow < 0) {
      this.consume(payload.length);
      this.reset(stream, CODE.flowControlError);
      return;
    }
    const data = flags & FLAG.padded ? unpad(payload) : payload;
    const isLast = (flags & FLAG.endStream) !== 0;
    stream.receivedBytes += data.length;
    const { contentLength } = stream.head;
    const isRight = isLast
      ? stream.receivedBytes === contentLength
      : stream.receivedBytes <= (contentLength ?? 0);
    if (contentLength !== undefined && !isRight) {
      this.consume(payload.length);
      this.reset(stream, CODE.protocolError);
      return;
    }
    if (data.length < payload.length) stream.consume(payload.length - data.length);
    if (data.length === 0 && !isLast) this.#countIdleFrame();
    if (isLast) stream.isReceived = true;
    if (data.length > 0 && stream.receiver.data(data)) stream.consume(data.length);
    if (isLast) this.#received(stream);
  }

  #headers(flags: number, streamId: number, payload: Buffer): void {
    if (streamId % 2 === 0)
      throw new ConnectionError(CODE.protocolError, 'A stream that only a server may open');
    let block = flags & FLAG.padded ? unpad(payload) : payload;
    let isSelfDependent = false;
    if (flags & FLAG.priority) {
      if (block.length < 5) throw new ConnectionError(CODE.frameSizeError, 'Headers that are cut off');
      isSelfDependent = (block.readUInt32BE(0) & 0x7fff_ffff) === streamId;
      block = block.subarray(5);
    }
    const isLast = (flags & FLAG.endStream) !== 0;
    const begun = new HeaderBlock(streamId, isLast, isSelfDependent, block);
    if (flags & FLAG.endHeaders) this.#blockEnded(begun);
    else this.#block = begun;
  }

  #blockEnded({ streamId, isLast, isSelfDependent, bytes }: HeaderBlock): void {
    this.#block = undefined;
    const stream = this.#streams.get(streamId);
    if (stream !== undefined || streamId <= this.#lastStreamId) {
      const areAllowed = this.#heads.readTrailers(bytes);
      if (stream === undefined || stream.isReceived) this.#outOfPlace(streamId, stream);
      else if (!areAllowed || !isLast) this.reset(stream, CODE.protocolError);
      else if (!isWholeBody(stream)) this.reset(stream, CODE.protocolError);
      else {
        stream.isReceived = true;
        this.#received(stream);
      }
      return;
    }
    const head = this.#heads.read(bytes);
    // What is too many is read all the same: the table of HPACK goes on.
    if (streamId > this.#maxStreamId) return;
    this.#lastStreamId = streamId;
    if (head === 'malformed' || isSelfDependent) this.#sendReset(streamId, CODE.protocolError);
    else if (head === 'too large') this.#sendReset(streamId, CODE.enhanceYourCalm);
    else if (this.#streams.size >= MAX_STREAMS) this.#sendReset(streamId, CODE.refusedStream);
    else if (isLast && (head.contentLength ?? 0) > 0) this.#sendReset(streamId, CODE.protocolError);
    else this.#open(streamId, head, isLast);
  }

  #open(streamId: number, head: RequestHead, isLast: boolean): void {
    const stream = new Http2Stream(streamId, head, this, this.#streamSendWindow);
    this.#streams.set(streamId, stream);
    stream.isReceived = isLast;
    this.#listener.opened(stream);
    if (isLast) this.#received(stream);
  }

  /** All of a request has come. */
  #received(stream: Http2Stream): void {
    if (stream.isSent) this.#forget(stream, true);
    else stream.receiver.end();
  }

  /** A frame for a stream that expects none: no longer, or not any more from here. */
  #outOfPlace(streamId: number, stream: Http2Stream | undefined): void {
    if (stream !== undefined) this.reset(stream, CODE.streamClosed);
    else if (streamId > this.#maxStreamId || this.#resets.has(streamId)) this.#countIdleFrame();
    else if (this.#isIdle(streamId))
      throw new ConnectionError(CODE.protocolError, 'A stream that is not open');
    else throw new ConnectionError(CODE.streamClosed, 'A stream that is closed');
  }

  #priority(streamId: number, payload: Buffer): void {
    this.#countIdleFrame();
    const stream = this.#streams.get(streamId);
    if (payload.length !== 5) {
      if (stream === undefined) throw new ConnectionError(CODE.frameSizeError, 'A priority that is cut off');
      this.reset(stream, CODE.frameSizeError);
    } else if ((payload.readUInt32BE(0) & 0x7fff_ffff) === streamId) {
      if (stream === undefined)
        throw new ConnectionError(CODE.protocolError, 'A stream that depends on itself');
      this.reset(stream, CODE.protocolError);
    }
  }

  #rstStream(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw new ConnectionError(CODE.frameSizeError, 'A reset that is cut off');
    if (this.#isIdle(streamId))
      throw new ConnectionError(CODE.protocolError, 'A reset of a stream that is not open');
    const stream = this.#streams.get(streamId);
    this.#countReset();
    // The client that turns down what has been sent to it whole has all it wants.
    if (stream !== undefined) this.#forget(stream, false);
  }

  #settings(flags: number, payload: Buffer): void {
    if (flags & FLAG.ack) {
      if (payload.length > 0)
        throw new ConnectionError(CODE.frameSizeError, 'Settings in an acknowledgement');
      return;
    }
    if (payload.length % 6 !== 0) throw new ConnectionError(CODE.frameSizeError, 'Settings that are cut off');
    if (this.#hasSettings) this.#countIdleFrame();
    this.#hasSettings = true;
    for (let at = 0; at < payload.length; at += 6)
      this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.#writer.write(FRAME.settings, FLAG.ack, 0, NOTHING);
    this.#pump();
  }

  #set(setting: number, value: number): void {
    switch (setting) {
      case SETTING.enablePush:
        if (value > 1) throw new ConnectionError(CODE.protocolError, 'ENABLE_PUSH is 0 or 1');
        return;
      case SETTING.maxFrameSize:
        if (value < FRAME_BYTES || value > MAX_FRAME_BYTES)
          throw new ConnectionError(CODE.protocolError, `MAX_FRAME_SIZE cannot be ${value}`);
        return;
      case SETTING.initialWindowSize: {
        if (value > MAX_WINDOW_BYTES)
          throw new ConnectionError(CODE.flowControlError, `INITIAL_WINDOW_SIZE cannot be ${value}`);
        const more = value - this.#streamSendWindow;
        this.#streamSendWindow = value;
        for (const stream of this.#streams.values()) {
          stream.sendWindow += more;
          if (stream.sendWindow > MAX_WINDOW_BYTES)
            throw new ConnectionError(CODE.flowControlError, 'A window of more than 2 GiB');
          if (stream.isWaiting) this.#waiting.add(stream);
        }
      }
    }
  }

  #ping(flags: number, payload: Buffer): void {
    if (payload.length !== 8) throw new ConnectionError(CODE.frameSizeError, 'A ping that is not of 8 bytes');
    if (flags & FLAG.ack) this.#pings.shift()?.();
    else this.#writer.write(FRAME.ping, FLAG.ack, 0, payload);
  }

  #windowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw new ConnectionError(CODE.frameSizeError, 'A window that is cut off');
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (streamId === 0) {
      if (more === 0) throw new ConnectionError(CODE.protocolError, 'A window that grows by 0');
      this.#sendWindow += more;
      if (this.#sendWindow > MAX_WINDOW_BYTES)
        throw new ConnectionError(CODE.flowControlError, 'A window of more than 2 GiB');
      this.#pump();
      return;
    }
    if (this.#isIdle(streamId))
      throw new ConnectionError(CODE.protocolError, 'A window of a stream that is not open');
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += more;
    if (more === 0) this.reset(stream, CODE.protocolError);
    else if (stream.sendWindow > MAX_WINDOW_BYTES) this.reset(stream, CODE.flowControlError);
    else if (stream.isWaiting) this.wait(stream);
  }

  /** Whether nobody has opened it yet. */
  #isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || (streamId > this.#lastStreamId && streamId <= this.#maxStreamId);
  }

  #countReset(): void {
    if (!this.#resetLimit.take())
      this.#fail(new ConnectionError(CODE.enhanceYourCalm, 'Too many streams are reset'));
  }

  #countIdleFrame(): void {
    if (!this.#idleFrameLimit.take())
      this.#fail(new ConnectionError(CODE.enhanceYourCalm, 'Too many frames that carry nothing'));
  }

  // --- What goes.

  /** Lets everyone who waits send a frame in turn, until the windows are used up or the socket has enough. */
  #pump(): void {
    for (const stream of this.#waiting) {
      if (this.#sendWindow <= 0 || this.#writer.isFull) return;
      this.#waiting.delete(stream);
      const size = Math.min(stream.waitingBytes, stream.sendWindow, this.#sendWindow, FRAME_BYTES);
      // Its own window is used up: it comes back when that grows.
      if (size <= 0) continue;
      this.#sendData(stream, stream.takeWaiting(size), size, false);
      if (stream.isWaiting) this.#waiting.add(stream);
      else stream.drained();
    }
  }

  #sendData(stream: Http2Stream, chunks: readonly Uint8Array[], size: number, isLast: boolean): void {
    stream.sendWindow -= size;
    this.#sendWindow -= size;
    this.#writer.beginData(stream.id, size, isLast);
    for (const chunk of chunks) this.#writer.append(chunk);
  }

  #sendReset(streamId: number, code: number): void {
    this.#writer.writeNumber(FRAME.rstStream, streamId, code);
    this.#countReset();
    this.#resets.add(streamId);
    if (this.#resets.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      break;
    }
  }

  #goAway(lastStreamId: number, code: number, why: string): void {
    const payload = Buffer.alloc(8 + Buffer.byteLength(why));
    payload.writeUInt32BE(lastStreamId, 0);
    payload.writeUInt32BE(code, 4);
    payload.write(why, 8);
    this.#writer.write(FRAME.goaway, 0, 0, payload);
  }

  // --- How it ends.

  #forget(stream: Http2Stream, isWhole: boolean): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    stream.close(isWhole);
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isClosing && this.#streams.size === 0) this.#endSocket();
  }

  #endSocket(): void {
    this.#writer.flush();
    if (!this.socket.writableEnded) this.socket.end();
    setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  #closeStreams(): void {
    this.#waiting.clear();
    for (const stream of this.#streams.values()) stream.close(false);
    this.#streams.clear();
  }
}

const OF_STREAMS: ReadonlySet<number> = new Set([
  FRAME.data,
  FRAME.headers,
  FRAME.priority,
  FRAME.rstStream,
  FRAME.pushPromise,
  FRAME.continuation,
]);
const NOTHING = Buffer.alloc(0);

function isWholeBody({ head, receivedBytes }: Http2Stream): boolean {
  return head.contentLength === undefined || head.contentLength === receivedBytes;
}

function unpad(payload: Buffer): Buffer {
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new ConnectionError(CODE.protocolError, 'More padding than there is');
  return payload.subarray(1, payload.length - padding);
}
