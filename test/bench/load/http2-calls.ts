import { unwrap } from './envelope.ts';
import { expectField, type HeaderField } from './hpack-decoder.ts';
import {
  encodeData,
  encodeFirstHeaders,
  encodeFrame,
  encodeFurtherHeaders,
  FLAG,
  FRAME,
  INITIAL_SEND_WINDOW_BYTES,
} from './http2-frames.ts';
import { HOST, openHttp2Socket } from './http2-socket.ts';

/** One connection of HTTP/2 for unary calls of gRPC. */
export interface Http2Calls<Tag> {
  /**
   * Queues a call; it leaves with the next `flush`, or at the end of the events of one received chunk.
   *
   * @param body the message with its envelope
   * @param tag what its answer is told with
   */
  send(path: string, body: Uint8Array, tag: Tag): void;
  flush(): void;
  /** After it nothing is reported. */
  close(): void;
}

/** What comes back. */
export interface Http2CallEvents<Tag> {
  /** A success; the message alone, without envelope. `sentAtMs` is by `performance.now()`. */
  onAnswer(tag: Tag, message: Buffer, sentAtMs: number): void;
  /** The connection is of no use any more, or an answer was no success. */
  onFailure(error: Error): void;
}

interface OpenStream<Tag> {
  readonly tag: Tag;
  readonly sentAtMs: number;
  body: Buffer | undefined;
}

interface WaitingCall<Tag> {
  readonly path: string;
  readonly body: Uint8Array;
  readonly tag: Tag;
}

const FIRST_STREAM = 1;
const NOTHING = Buffer.alloc(0);

/**
 * Connects. Answers are read no further than needed to tell a success, so that the load costs little beside what it measures.
 * A connection takes calls on at most 16 paths.
 */
export async function connectHttp2Calls<Tag>(
  port: number,
  events: Http2CallEvents<Tag>,
): Promise<Http2Calls<Tag>> {
  const open = new Map<number, OpenStream<Tag>>();
  const waiting: WaitingCall<Tag>[] = [];
  /** By the paths that were called, the header blocks of further calls. */
  const furtherHeaders = new Map<string, Buffer>();
  let nextStream = FIRST_STREAM;
  let sendWindow = INITIAL_SEND_WINDOW_BYTES;

  const socket = await openHttp2Socket(port, {
    onData: readData,
    onHeaders: readHeaders,
    onReset(streamId, code) {
      if (open.has(streamId)) throw new Error(`stream reset with code ${code}`);
    },
    onWindowUpdate(bytes) {
      sendWindow += bytes;
      sendWaiting();
    },
    onFailure: events.onFailure,
  });

  function sendWaiting(): void {
    for (;;) {
      const [call] = waiting;
      if (call === undefined || call.body.length > sendWindow) return;
      waiting.shift();
      const { path, body, tag } = call;
      socket.push(encodeFrame(FRAME.headers, FLAG.endHeaders, nextStream, headersOf(path)));
      for (const frame of encodeData(nextStream, body)) socket.push(frame);
      sendWindow -= body.length;
      open.set(nextStream, { tag, sentAtMs: performance.now(), body: undefined });
      nextStream += 2;
    }
  }

  function headersOf(path: string): Buffer {
    const known = furtherHeaders.get(path);
    if (known !== undefined) return known;
    furtherHeaders.set(path, NOTHING);
    for (const [index, each] of [...furtherHeaders.keys()].reverse().entries())
      furtherHeaders.set(each, encodeFurtherHeaders(index));
    return encodeFirstHeaders(path, `${HOST}:${port}`);
  }

  function readData(bytes: Buffer, start: number, end: number, flags: number, streamId: number): void {
    if (flags & FLAG.endStream) throw new Error('a gRPC answer without trailers');
    const stream = streamOf(streamId);
    const payload = bytes.subarray(start, end);
    stream.body = stream.body === undefined ? Buffer.from(payload) : Buffer.concat([stream.body, payload]);
  }

  function readHeaders(fields: readonly HeaderField[], flags: number, streamId: number): void {
    const stream = streamOf(streamId);
    if (!(flags & FLAG.endStream)) {
      expectField(fields, ':status', '200');
      return;
    }
    expectField(fields, 'grpc-status', '0');
    open.delete(streamId);
    events.onAnswer(stream.tag, unwrap(stream.body ?? NOTHING), stream.sentAtMs);
  }

  function streamOf(streamId: number): OpenStream<Tag> {
    const stream = open.get(streamId);
    if (stream === undefined) throw new Error(`an answer on stream ${streamId}, which has no open call`);
    return stream;
  }

  return {
    send(path, body, tag) {
      waiting.push({ path, body, tag });
      sendWaiting();
    },
    flush: socket.flush,
    close: socket.close,
  };
}
