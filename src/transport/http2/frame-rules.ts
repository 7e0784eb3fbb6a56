import { CODE, ConnectionError, FLAG, FRAME } from './protocol.ts';

const PRIORITY_BYTES = 5;

/** Throws a {@link ConnectionError} for a frame that belongs to no stream, or to one, or is of a size, as its type cannot (RFC 9113, 6). */
export function checkFrame(type: number, flags: number, streamId: number, size: number): void {
  switch (type) {
    case FRAME.data:
    case FRAME.headers:
    case FRAME.priority:
    case FRAME.continuation:
      if (streamId === 0) throw new ConnectionError(CODE.protocolError, 'A frame of a stream without one');
      return;
    case FRAME.rstStream:
      if (streamId === 0) throw new ConnectionError(CODE.protocolError, 'A reset without a stream');
      checkSize(size, 4, 'A reset');
      return;
    case FRAME.windowUpdate:
      checkSize(size, 4, 'A window');
      return;
    case FRAME.settings:
      checkNoStream(streamId);
      if (flags & FLAG.ack) checkSize(size, 0, 'An acknowledgement');
      else if (size % 6 !== 0) throw new ConnectionError(CODE.frameSizeError, 'Settings that are cut off');
      return;
    case FRAME.ping:
      checkNoStream(streamId);
      checkSize(size, 8, 'A ping');
      return;
    case FRAME.goaway:
      checkNoStream(streamId);
      return;
    case FRAME.pushPromise:
      throw new ConnectionError(CODE.protocolError, 'A promise of a client');
  }
}

/** Returns what a frame carries, without its padding (6.1). Throws a {@link ConnectionError}. */
export function withoutPadding(flags: number, payload: Buffer): Buffer {
  if (!(flags & FLAG.padded)) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new ConnectionError(CODE.protocolError, 'More padding than there is');
  return payload.subarray(1, payload.length - padding);
}

/** Returns a block of headers without the priority before it (6.2). Throws a {@link ConnectionError}. */
export function withoutPriority(flags: number, block: Buffer): Buffer {
  if (!(flags & FLAG.priority)) return block;
  if (block.length < PRIORITY_BYTES)
    throw new ConnectionError(CODE.frameSizeError, 'Headers that are cut off');
  return block.subarray(PRIORITY_BYTES);
}

/** Tells whether a priority, of at least 5 bytes, makes a stream depend on itself (RFC 7540, 5.3.1). */
export function dependsOn(streamId: number, priority: Buffer): boolean {
  return (priority.readUInt32BE(0) & 0x7fff_ffff) === streamId;
}

function checkNoStream(streamId: number): void {
  if (streamId !== 0) throw new ConnectionError(CODE.protocolError, 'A frame of the connection on a stream');
}

function checkSize(size: number, wanted: number, what: string): void {
  if (size !== wanted) throw new ConnectionError(CODE.frameSizeError, `${what} of ${size} bytes`);
}
