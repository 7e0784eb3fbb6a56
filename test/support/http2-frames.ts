/** Frame types of HTTP/2 (RFC 9113, 6). */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;

/** What a client's connection begins with: the preface and empty settings. */
export const HTTP2_OPENING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(FRAME.settings),
]);

/** The parts of a frame. */
export interface FrameParts {
  /** @default 0 */
  readonly flags?: number;
  /** @default 0, the connection */
  readonly stream?: number;
  /** @default nothing */
  readonly payload?: Uint8Array;
  /** What the frame says of its payload. @default the truth */
  readonly length?: number;
}

/** Returns a frame. */
export function frame(type: number, parts: FrameParts = {}): Buffer {
  const { flags = 0, stream = 0, payload = new Uint8Array() } = parts;
  const head = Buffer.alloc(9);
  head.writeUIntBE(parts.length ?? payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Returns headers in HPACK, each a literal that is not indexed (RFC 7541, 6.2.2). Names and values up to 126 bytes. */
export function hpack(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => [
      Buffer.of(0, name.length),
      Buffer.from(name, 'latin1'),
      Buffer.of(value.length),
      Buffer.from(value, 'latin1'),
    ]),
  );
}
