import type { Call, CallConnection, CallEvents, Connector, OpenCall } from './call.ts';
import { envelop, unwrap } from './envelope.ts';
import { expectField, type HeaderField } from './hpack-decoder.ts';
import {
  encodeFirstHeaders,
  encodeFrame,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  FURTHER_HEADERS,
  INITIAL_SEND_WINDOW_BYTES,
} from './http2-frames.ts';
import { HOST, openHttp2Socket } from './http2-socket.ts';

interface OpenStream extends OpenCall {
  body: Buffer | undefined;
}

const FIRST_STREAM = 1;
const NOTHING = Buffer.alloc(0);

interface EncodedCall {
  readonly firstHeaders: Buffer;
  /** One for each request; the stream is still to be set. */
  readonly dataFrames: readonly Buffer[];
}

/**
 * Encodes a call's requests; what it gives opens HTTP/2 connections for them. Their answers are read no further than needed
 * to tell a success, so that the load costs little beside what it measures.
 */
export function createHttp2Connector(port: number, call: Call): Connector {
  const encoded: EncodedCall = {
    firstHeaders: encodeFirstHeaders(call.path, `${HOST}:${port}`),
    dataFrames: call.requests.map((message) => encodeFrame(FRAME.data, FLAG.endStream, 0, envelop(message))),
  };
  return (events) => connectHttp2(port, encoded, events);
}

async function connectHttp2(port: number, encoded: EncodedCall, events: CallEvents): Promise<CallConnection> {
  const { firstHeaders, dataFrames } = encoded;
  const open = new Map<number, OpenStream>();
  const waiting: number[] = [];
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

  function send(index: number): void {
    waiting.push(index);
    sendWaiting();
  }

  function sendWaiting(): void {
    for (;;) {
      const [index] = waiting;
      const data = index === undefined ? undefined : dataFrames[index];
      if (index === undefined || data === undefined || data.length > sendWindow) return;
      waiting.shift();
      const headers = nextStream === FIRST_STREAM ? firstHeaders : FURTHER_HEADERS;
      socket.push(encodeFrame(FRAME.headers, FLAG.endHeaders, nextStream, headers));
      const frame = Buffer.from(data);
      frame.writeUInt32BE(nextStream, 5);
      socket.push(frame);
      sendWindow -= data.length - FRAME_HEADER_BYTES;
      open.set(nextStream, { index, sentAtMs: performance.now(), body: undefined });
      nextStream += 2;
    }
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
    events.onAnswer(stream, unwrap(stream.body ?? NOTHING));
  }

  function streamOf(streamId: number): OpenStream {
    const stream = open.get(streamId);
    if (stream === undefined) throw new Error(`an answer on stream ${streamId}, which has no open call`);
    return stream;
  }

  return { send, flush: socket.flush, close: socket.close };
}
