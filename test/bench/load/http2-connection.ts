import { once } from 'node:events';
import { connect } from 'node:net';
import type { Call, CallConnection, CallEvents, Connector, OpenCall } from './call.ts';
import { createHpackDecoder, type HeaderField } from './hpack-decoder.ts';
import {
  encodeFirstHeaders,
  encodeFrame,
  encodeWindowUpdate,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  FURTHER_HEADERS,
  openingBytes,
  WINDOW_BYTES,
} from './http2-frames.ts';

interface OpenStream extends OpenCall {
  body: Buffer | undefined;
}

const HOST = '127.0.0.1';
const ENVELOPE_BYTES = 5;
const FIRST_STREAM = 1;
const INITIAL_SEND_WINDOW_BYTES = 65_535;
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
  const hpack = createHpackDecoder();
  const open = new Map<number, OpenStream>();
  const waiting: number[] = [];
  let nextStream = FIRST_STREAM;
  let sendWindow = INITIAL_SEND_WINDOW_BYTES;
  let readSinceUpdate = 0;
  let unread: Buffer = NOTHING;
  let outgoing: Buffer[] = [openingBytes()];

  const socket = connect({ host: HOST, port, noDelay: true });
  await once(socket, 'connect');
  socket.on('error', (error) => events.onFailure(error));
  socket.on('close', () => events.onFailure(new Error('the server closed the connection')));
  socket.on('data', (chunk) => {
    try {
      read(chunk);
      flush();
    } catch (error) {
      events.onFailure(error instanceof Error ? error : new Error(String(error)));
    }
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
      outgoing.push(encodeFrame(FRAME.headers, FLAG.endHeaders, nextStream, headers));
      const frame = Buffer.from(data);
      frame.writeUInt32BE(nextStream, 5);
      outgoing.push(frame);
      sendWindow -= data.length - FRAME_HEADER_BYTES;
      open.set(nextStream, { index, sentAtMs: performance.now(), body: undefined });
      nextStream += 2;
    }
  }

  function flush(): void {
    if (outgoing.length === 0) return;
    socket.write(Buffer.concat(outgoing));
    outgoing = [];
  }

  function read(chunk: Buffer): void {
    const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    let offset = 0;
    while (bytes.length - offset >= FRAME_HEADER_BYTES) {
      const start = offset + FRAME_HEADER_BYTES;
      const end = start + bytes.readUIntBE(offset, 3);
      if (end > bytes.length) break;
      readFrame(bytes, start, end);
      offset = end;
    }
    unread = bytes.subarray(offset);
  }

  function readFrame(bytes: Buffer, start: number, end: number): void {
    const type = bytes[start - 6];
    const flags = bytes[start - 5] ?? 0;
    const streamId = bytes.readUInt32BE(start - 4);
    switch (type) {
      case FRAME.data:
        readData(bytes.subarray(start, end), flags, streamId);
        return;
      case FRAME.headers:
        readHeaders(hpack.decode(bytes, start, end), flags, streamId);
        return;
      case FRAME.settings:
        if (!(flags & FLAG.ack)) outgoing.push(encodeFrame(FRAME.settings, FLAG.ack, 0, NOTHING));
        return;
      case FRAME.ping:
        if (!(flags & FLAG.ack))
          outgoing.push(encodeFrame(FRAME.ping, FLAG.ack, 0, bytes.subarray(start, end)));
        return;
      case FRAME.windowUpdate:
        if (streamId === 0) sendWindow += bytes.readUInt32BE(start);
        sendWaiting();
        return;
      case FRAME.resetStream:
        if (open.has(streamId)) throw new Error(`stream reset with code ${bytes.readUInt32BE(start)}`);
        return;
      case FRAME.goAway:
        throw new Error(
          `connection ended with code ${bytes.readUInt32BE(start + 4)}: ${bytes.toString('latin1', start + 8, end)}`,
        );
      default:
        throw new Error(`a frame of type ${type} was not expected`);
    }
  }

  function readData(payload: Buffer, flags: number, streamId: number): void {
    if (flags & (FLAG.endStream | FLAG.padded)) throw new Error('a gRPC answer without trailers, or padded');
    const stream = streamOf(streamId);
    stream.body = stream.body === undefined ? payload : Buffer.concat([stream.body, payload]);
    readSinceUpdate += payload.length;
    if (readSinceUpdate < WINDOW_BYTES / 2) return;
    outgoing.push(encodeWindowUpdate(readSinceUpdate));
    readSinceUpdate = 0;
  }

  function readHeaders(fields: readonly HeaderField[], flags: number, streamId: number): void {
    if (flags & FLAG.padded || !(flags & FLAG.endHeaders))
      throw new Error('headers in several frames, or padded');
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

  return {
    send,
    flush,
    close() {
      socket.removeAllListeners('close');
      socket.destroy();
    },
  };
}

function envelop(message: Uint8Array): Buffer {
  const envelope = Buffer.alloc(ENVELOPE_BYTES + message.length);
  envelope.writeUInt32BE(message.length, 1);
  envelope.set(message, ENVELOPE_BYTES);
  return envelope;
}

function unwrap(body: Buffer): Buffer {
  const isWhole =
    body.length >= ENVELOPE_BYTES && body[0] === 0 && body.readUInt32BE(1) === body.length - ENVELOPE_BYTES;
  if (!isWhole) throw new Error(`not one uncompressed gRPC message: ${body.length} bytes`);
  return body.subarray(ENVELOPE_BYTES);
}

function expectField(fields: readonly HeaderField[], name: string, value: string): void {
  if (fields.some((field) => field.name === name && field.value === value)) return;
  const shown = fields.map((field) => `${field.name}: ${field.value}`).join(', ');
  throw new Error(`expected ${name}: ${value} but got ${shown}`);
}
