import type { Socket } from 'node:net';
import { ControlFrames } from './control-frames.ts';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { HpackError } from './hpack/hpack-error.ts';
import type { Http2Stream } from './http2-stream.ts';
import { IncomingFrames } from './incoming-frames.ts';
import { CODE, ConnectionError, MAX_STREAM_ID } from './protocol.ts';
import { ReceiveWindow } from './receive-window.ts';
import { SendQueue } from './send-queue.ts';
import { MAX_STREAMS, StreamTable } from './stream-table.ts';

/** What a client may send before it is told to go on, over all streams, in bytes: 64 KiB would stall many streams that say nothing. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** What is to be sent to a client that does not read, in bytes, before nothing more is read from it. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** How long a client may take to close its side of a connection that was closed on ours, in milliseconds. */
const CLOSE_TIMEOUT_MS = 500;

/** What a connection tells its server. */
export interface ConnectionListener {
  /** A request has come. To be answered, it is to be given a receiver before this returns. */
  readonly opened: (stream: Http2Stream) => void;
  /**
   * The client, or the network, has broken the connection off, or it has broken the protocol: a {@link ConnectionError}. So is a fault of
   * ours, with the code of an internal error and what was thrown as its cause.
   */
  readonly failed: (error: Error) => void;
}

/** A connection of HTTP/2, seen from the server (RFC 9113): how it begins, is read, and ends. */
export class Http2Connection {
  readonly socket: Socket;
  /** Where the bodies of its answers go. */
  readonly queue: SendQueue;
  /** How much of the bodies of requests may come. */
  readonly receiveWindow: ReceiveWindow;
  readonly #listener: ConnectionListener;
  readonly #writer: FrameWriter;
  readonly #control: ControlFrames;
  readonly #reader: FrameReader;
  readonly #streams = new StreamTable();
  readonly #pings: (() => void)[] = [];
  #peer: string | undefined;
  #isClosing = false;
  #hasFailed = false;
  #isEnded = false;

  constructor(socket: Socket, listener: ConnectionListener) {
    this.socket = socket;
    this.#listener = listener;
    this.#writer = new FrameWriter(socket);
    this.#control = new ControlFrames(this.#writer);
    this.queue = new SendQueue(this.#writer);
    this.receiveWindow = new ReceiveWindow(WINDOW_BYTES, (bytes) => this.#control.windowUpdate(0, bytes));
    const frames = new IncomingFrames(this, this.#streams, this.#control, listener.opened);
    this.#reader = new FrameReader((type, flags, streamId, payload) => {
      if (!this.#isEnded) frames.take(type, flags, streamId, payload);
    });
    this.#control.settings(MAX_STREAMS, WINDOW_BYTES);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#drained());
    // Whoever leaves makes this fire; 'close' is what we go by.
    socket.on('error', (error) => listener.failed(error));
    socket.on('close', () => this.#closeStreams());
  }

  /** The address of the client. */
  get peer(): string {
    this.#peer ??= this.socket.remoteAddress ?? '';
    return this.#peer;
  }

  /** Calls `answered` when the client has answered, and so has read all that was sent before. */
  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.#control.ping();
  }

  /** Tells the client to open no more streams, and goes on to serve those that it opens before it has read that. */
  announceEnd(): void {
    this.#control.goAway(MAX_STREAM_ID, CODE.noError, '');
  }

  /** Serves the streams that are open, and no further ones; then it closes the connection. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#streams.seal();
    this.#control.goAway(this.#streams.lastId, CODE.noError, '');
    this.#endIfDone();
  }

  /** Breaks the connection off. */
  destroy(): void {
    this.socket.destroy();
  }

  // --- For its streams and what takes its frames.

  sendFields(stream: Http2Stream, fields: readonly string[], isLast: boolean): void {
    this.#writer.writeFields(stream.id, fields, isLast);
  }

  /** Tells the client that it may send so many bytes more of a body. */
  grant(stream: Http2Stream, bytes: number): void {
    this.#control.windowUpdate(stream.id, bytes);
  }

  /** Ends a stream whose request has come and whose answer is sent. */
  end(stream: Http2Stream): void {
    this.#forget(stream, true);
  }

  /** Ends a stream that the client has reset. */
  lose(stream: Http2Stream): void {
    this.#forget(stream, false);
  }

  /** Ends a stream before its time. */
  reset(stream: Http2Stream, code: number): void {
    if (stream.isClosed) return;
    this.refuse(stream.id, code);
    this.#forget(stream, false);
  }

  /** Resets a stream that is not open. */
  refuse(streamId: number, code: number): void {
    this.#control.reset(streamId, code);
    try {
      this.#streams.addReset(streamId);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The client has answered the oldest ping. */
  answerPing(): void {
    this.#pings.shift()?.();
  }

  // --- How it goes on, and ends.

  #read(chunk: Buffer): void {
    if (this.socket.destroyed || this.#isEnded) return;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      this.#fail(error);
    }
    if (this.socket.writableLength > MAX_UNREAD_BYTES) this.socket.pause();
  }

  #drained(): void {
    this.socket.resume();
    try {
      this.queue.pump();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A fault of ours ends one connection, and not the process with all others. */
  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#isClosing = true;
    const known = toConnectionError(error);
    this.#listener.failed(known);
    this.#control.goAway(this.#streams.lastId, known.code, known.message);
    this.#closeStreams();
    this.#endSocket();
    this.#destroySoon();
  }

  #forget(stream: Http2Stream, isWhole: boolean): void {
    this.#streams.delete(stream);
    this.queue.forget(stream);
    stream.close(isWhole);
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isClosing && this.#streams.size === 0) this.#endSocket();
  }

  /** A client that reads slowly may read what it was sent, as long as pings do not find it gone. */
  #endSocket(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#writer.flush();
    this.socket.end(() => this.#destroySoon());
  }

  #destroySoon(): void {
    setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  #closeStreams(): void {
    for (const stream of this.#streams.values()) this.#forget(stream, false);
  }
}

function toConnectionError(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  if (error instanceof HpackError) return new ConnectionError(CODE.compressionError, error.message);
  return new ConnectionError(CODE.internalError, 'The server has failed', { cause: error });
}
