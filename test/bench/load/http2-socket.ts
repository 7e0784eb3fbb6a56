import { once } from 'node:events';
import { connect } from 'node:net';
import { createHpackDecoder, type HeaderField } from './hpack-decoder.ts';
import {
  encodeFrame,
  encodeWindowUpdate,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  openingBytes,
  WINDOW_BYTES,
} from './http2-frames.ts';

/** The client's end of one HTTP/2 connection without TLS, for load that must cost little beside what it measures. */
export interface Http2Socket {
  /** Queues a frame; it leaves with the next `flush`, or when what was read at once has been told. */
  push(frame: Buffer): void;
  flush(): void;
  /** After it nothing is reported. */
  close(): void;
}

/** What a server sends. What they throw is reported as a failure. */
export interface Http2Events {
  /** `bytes` are overwritten after the call; the payload is from `start` to `end`. */
  onData(bytes: Buffer, start: number, end: number, flags: number, streamId: number): void;
  onHeaders(fields: readonly HeaderField[], flags: number, streamId: number): void;
  onReset(streamId: number, code: number): void;
  /** So many more bytes may be sent on the connection. Default: nothing. */
  onWindowUpdate?(bytes: number): void;
  /** The connection is of no use any more. */
  onFailure(error: Error): void;
}

/** The authority that requests name, besides the port. */
export const HOST = '127.0.0.1';

/** Room for what one read brings after a frame that is not whole yet; a frame has at most 16 KiB. */
const BUFFER_BYTES = 256 * 1024;
const NOTHING = Buffer.alloc(0);

/** Connects. Windows are so large that they never get in the way; settings and pings are answered. */
export async function openHttp2Socket(port: number, events: Http2Events): Promise<Http2Socket> {
  const hpack = createHpackDecoder();
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let unreadBytes = 0;
  let bytesSinceUpdate = 0;
  let isClosed = false;
  let outgoing: Buffer[] = [openingBytes()];

  const socket = connect({
    host: HOST,
    port,
    noDelay: true,
    onread: {
      buffer: () => buffer.subarray(unreadBytes),
      callback(length) {
        readSafely(unreadBytes + length);
        return true;
      },
    },
  });
  await once(socket, 'connect');
  socket.on('error', (error) => fail(error));
  socket.on('close', () => fail(new Error('the server closed the connection')));

  function fail(error: Error): void {
    if (!isClosed) events.onFailure(error);
  }

  function readSafely(length: number): void {
    if (isClosed) return;
    try {
      read(length);
      flush();
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  function read(length: number): void {
    let offset = 0;
    while (length - offset >= FRAME_HEADER_BYTES) {
      const start = offset + FRAME_HEADER_BYTES;
      const end = start + buffer.readUIntBE(offset, 3);
      if (end > length) break;
      readFrame(start, end);
      offset = end;
    }
    buffer.copyWithin(0, offset, length);
    unreadBytes = length - offset;
    if (unreadBytes === BUFFER_BYTES) throw new Error('a frame that is larger than any may be');
  }

  function readFrame(start: number, end: number): void {
    const type = buffer[start - 6];
    const flags = buffer[start - 5] ?? 0;
    const streamId = buffer.readUInt32BE(start - 4);
    switch (type) {
      case FRAME.data:
        readData(start, end, flags, streamId);
        return;
      case FRAME.headers:
        if (flags & FLAG.padded || !(flags & FLAG.endHeaders)) throw new Error('headers padded, or in parts');
        events.onHeaders(hpack.decode(buffer, start, end), flags, streamId);
        return;
      case FRAME.settings:
        if (!(flags & FLAG.ack)) push(encodeFrame(FRAME.settings, FLAG.ack, 0, NOTHING));
        return;
      case FRAME.ping:
        if (!(flags & FLAG.ack)) push(encodeFrame(FRAME.ping, FLAG.ack, 0, buffer.subarray(start, end)));
        return;
      case FRAME.windowUpdate:
        if (streamId === 0) events.onWindowUpdate?.(buffer.readUInt32BE(start));
        return;
      case FRAME.resetStream:
        events.onReset(streamId, buffer.readUInt32BE(start));
        return;
      case FRAME.goAway: {
        const reason = buffer.toString('latin1', start + 8, end);
        throw new Error(`connection ended with code ${buffer.readUInt32BE(start + 4)}: ${reason}`);
      }
      default:
        throw new Error(`a frame of type ${type} was not expected`);
    }
  }

  function readData(start: number, end: number, flags: number, streamId: number): void {
    if (flags & FLAG.padded) throw new Error('data is padded');
    events.onData(buffer, start, end, flags, streamId);
    bytesSinceUpdate += end - start;
    if (bytesSinceUpdate < WINDOW_BYTES / 2) return;
    push(encodeWindowUpdate(bytesSinceUpdate));
    bytesSinceUpdate = 0;
  }

  function push(frame: Buffer): void {
    outgoing.push(frame);
  }

  function flush(): void {
    if (outgoing.length === 0) return;
    socket.write(Buffer.concat(outgoing));
    outgoing = [];
  }

  flush();
  return {
    push,
    flush,
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}
