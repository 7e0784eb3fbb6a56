/** The bytes before each frame's payload: length (3), type, flags, stream (4). */
export const FRAME_HEADER_BYTES = 9;

/** RFC 9113, section 6: the types of frames that a client meets. */
export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

/** RFC 9113, section 6: the flags of those frames; `ack` is that of SETTINGS and PING. */
export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8 } as const;

/** How much a server may send before it is told that some was read: of a stream, and added to a connection. */
export const WINDOW_BYTES = 2 ** 30 - 1;

/** RFC 9113, section 6.9.2: how much may be sent on a connection before its first window update. */
export const INITIAL_SEND_WINDOW_BYTES = 65_535;

/** RFC 9113, section 6.5.2: how large a frame may be that a server has not asked for larger. */
const MAX_FRAME_BYTES = 16_384;

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTING_ENABLE_PUSH = 2;
const SETTING_INITIAL_WINDOW_SIZE = 4;

const INDEXED_METHOD_POST = 0x83;
const INDEXED_SCHEME_HTTP = 0x86;
const LITERAL_INDEXED = 0x40;
const NAME_AUTHORITY = 1;
const NAME_PATH = 4;
const NAME_CONTENT_TYPE = 31;
const INDEXED = 0x80;
/** RFC 7541, section 2.3.3: where the four headers of a first call stand in the table, the newest at 62. */
const FIRST_INDICES: readonly number[] = [65, 64, 63, 62];
/** An index fits into one byte up to 126. */
const MAX_LATER_PATHS = 15;

/** One frame. */
export function encodeFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUIntBE(payload.length, 0, 3);
  frame.writeUInt8(type, 3);
  frame.writeUInt8(flags, 4);
  frame.writeUInt32BE(streamId, 5);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** A whole body, which ends its stream, in as many frames as it takes. */
export function encodeData(streamId: number, body: Uint8Array): readonly Buffer[] {
  const frames: Buffer[] = [];
  let start = 0;
  do {
    const end = start + MAX_FRAME_BYTES;
    const flags = end >= body.length ? FLAG.endStream : 0;
    frames.push(encodeFrame(FRAME.data, flags, streamId, body.subarray(start, end)));
    start = end;
  } while (start < body.length);
  return frames;
}

/** What a client sends first: no pushes, and windows that never get in the way, as h2load does. */
export function openingBytes(): Buffer {
  const settings = Buffer.alloc(12);
  settings.writeUInt16BE(SETTING_ENABLE_PUSH, 0);
  settings.writeUInt16BE(SETTING_INITIAL_WINDOW_SIZE, 6);
  settings.writeUInt32BE(WINDOW_BYTES, 8);
  return Buffer.concat([
    Buffer.from(PREFACE),
    encodeFrame(FRAME.settings, 0, 0, settings),
    encodeWindowUpdate(WINDOW_BYTES),
  ]);
}

/** Lets the server send so much more on the connection. */
export function encodeWindowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return encodeFrame(FRAME.windowUpdate, 0, 0, payload);
}

/** The header block of a connection's first gRPC call; the server's table then holds the four headers it brings. */
export function encodeFirstHeaders(path: string, authority: string): Buffer {
  return Buffer.concat([
    Buffer.of(INDEXED_METHOD_POST, INDEXED_SCHEME_HTTP),
    literal(NAME_PATH, path),
    literal(NAME_AUTHORITY, authority),
    literal(NAME_CONTENT_TYPE, 'application/grpc'),
    Buffer.of(LITERAL_INDEXED),
    text('te'),
    text('trailers'),
  ]);
}

/**
 * The header block of a further call on a path: all of it by index, as gRPC clients do.
 *
 * @param laterPaths how many paths were called first since the first call on this one, at most 15
 */
export function encodeFurtherHeaders(laterPaths = 0): Buffer {
  if (laterPaths > MAX_LATER_PATHS) throw new Error(`a connection for at most ${MAX_LATER_PATHS + 1} paths`);
  const indices = FIRST_INDICES.map((index) => INDEXED | (index + laterPaths * FIRST_INDICES.length));
  return Buffer.of(INDEXED_METHOD_POST, INDEXED_SCHEME_HTTP, ...indices);
}

/** See {@link encodeFurtherHeaders}; of the only path on its connection, or the last. */
export const FURTHER_HEADERS: Buffer = encodeFurtherHeaders();

function literal(nameIndex: number, value: string): Buffer {
  return Buffer.concat([Buffer.of(LITERAL_INDEXED | nameIndex), text(value)]);
}

function text(value: string): Buffer {
  if (value.length > 126) throw new Error(`a header of ${value.length} bytes; at most 126 are provided for`);
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')]);
}
