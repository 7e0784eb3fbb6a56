import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  FRAME,
  type FrameParts,
  frame,
  HTTP2_OPENING,
  hpack,
} from './http2-frames.ts';

/** A frame that has come. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A connection of HTTP/2 that says and does only what a test has it say, right or wrong: it answers no settings, pings or data. */
export interface Http2Socket extends Disposable {
  readonly socket: Socket;
  /** What has come so far. */
  readonly frames: readonly ReceivedFrame[];
  readonly isClosed: boolean;
  send(...frames: readonly Uint8Array[]): void;
  /** Sends what a request begins with, and ends it there unless its body is to follow. @param options `hasBody` default false */
  request(stream: number, path: string, options?: RequestOptions): void;
  /** Sends a part of a body. */
  data(stream: number, payload: Uint8Array, parts?: FrameParts): void;
  /** Lets so many bytes more come, on a stream or, with 0, over all of them. */
  grant(stream: number, bytes: number): void;
  /** The frames of a type that have come, on one stream where it is named. */
  of(type: number, stream?: number): readonly ReceivedFrame[];
  /** All data of a stream that has come. */
  body(stream: number): Buffer;
  /** Whether a stream has come to its end. */
  isEnded(stream: number): boolean;
  /** Resolves once a ping that is sent now is answered: all that was sent before has been dealt with. */
  settled(): Promise<void>;
  /** Resolves once the other side has closed the connection, with the code of its last GOAWAY. */
  closed(): Promise<number | undefined>;
}

/** How a request is sent. */
export interface RequestOptions {
  /** @default 'POST' */
  readonly method?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Whether a body is to follow. @default false */
  readonly hasBody?: boolean;
}

/** Opens a connection to a port of loopback. @param settings what it begins with; default: empty ones */
export async function openHttp2Socket(port: number, settings?: Uint8Array): Promise<Http2Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const frames: ReceivedFrame[] = [];
  const ends = new Set<number>();
  let rest: Buffer = Buffer.alloc(0);
  let isClosed = false;
  let pings = 0;
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 9 && rest.length - at >= 9 + rest.readUIntBE(at, 3)) {
      const end = at + 9 + rest.readUIntBE(at, 3);
      const [type = 0, flags = 0] = rest.subarray(at + 3, at + 5);
      const stream = rest.readUInt32BE(at + 5);
      frames.push({ type, flags, stream, payload: rest.subarray(at + 9, end) });
      if ((type === FRAME.data || type === FRAME.headers) && flags & END_STREAM) ends.add(stream);
      at = end;
    }
    rest = rest.subarray(at);
  });
  // A reset is an end like any other.
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const opening = settings === undefined ? HTTP2_OPENING : openingWith(settings);
  socket.write(opening);

  const send = (...sent: readonly Uint8Array[]) => void socket.write(Buffer.concat(sent));
  const of = (type: number, stream?: number) =>
    frames.filter((each) => each.type === type && (stream === undefined || each.stream === stream));
  return {
    socket,
    frames,
    get isClosed() {
      return isClosed;
    },
    send,
    request(stream, path, { method = 'POST', headers = [], hasBody = false } = {}) {
      const flags = END_HEADERS | (hasBody ? 0 : END_STREAM);
      send(
        frame(FRAME.headers, { flags, stream, payload: hpack([...requestFields(method, path), ...headers]) }),
      );
    },
    data: (stream, payload, parts) => send(frame(FRAME.data, { stream, payload, ...parts })),
    grant(stream, bytes) {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(bytes);
      send(frame(FRAME.windowUpdate, { stream, payload }));
    },
    of,
    body: (stream) => Buffer.concat(of(FRAME.data, stream).map(({ payload }) => payload)),
    isEnded: (stream) => ends.has(stream),
    async settled() {
      pings += 1;
      const payload = Buffer.alloc(8);
      payload.writeUInt32BE(pings, 4);
      send(frame(FRAME.ping, { payload }));
      await eventually(() => {
        const isAnswered = of(FRAME.ping).some((each) => each.flags & ACK && each.payload.equals(payload));
        if (!isAnswered) throw new Error('a ping is not answered');
      });
    },
    async closed() {
      await eventually(() => {
        if (!isClosed) throw new Error('the connection is open');
      });
      return of(FRAME.goaway).at(-1)?.payload.readUInt32BE(4);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Returns the fields that a request needs. */
export function requestFields(
  method: string,
  path: string,
): readonly (readonly [name: string, value: string])[] {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a'],
  ];
}

/** Returns settings as their frame carries them. */
export function settingsPayload(...pairs: readonly (readonly [setting: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [i, [setting, value]] of pairs.entries()) {
    payload.writeUInt16BE(setting, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return payload;
}

function openingWith(settings: Uint8Array): Buffer {
  const preface = HTTP2_OPENING.subarray(0, HTTP2_OPENING.length - 9);
  return Buffer.concat([preface, frame(FRAME.settings, { payload: settings })]);
}
