/** The bytes before each message of gRPC: a flag (1), and the length of the message (4). */
export const ENVELOPE_BYTES = 5;

/** One message as it goes over the wire, uncompressed. */
export function envelop(message: Uint8Array): Buffer {
  const envelope = Buffer.alloc(ENVELOPE_BYTES + message.length);
  envelope.writeUInt32BE(message.length, 1);
  envelope.set(message, ENVELOPE_BYTES);
  return envelope;
}

/** The only message of a body. */
export function unwrap(body: Buffer): Buffer {
  const end = findMessageEnd(body, 0, body.length);
  if (end !== body.length) throw new Error(`not one gRPC message: ${body.length} bytes`);
  return body.subarray(ENVELOPE_BYTES);
}

/** Where the message ends whose envelope is at `start`; undefined while it is not whole. */
export function findMessageEnd(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start < ENVELOPE_BYTES) return undefined;
  if (bytes[start] !== 0) throw new Error('a gRPC message is compressed');
  const messageEnd = start + ENVELOPE_BYTES + bytes.readUInt32BE(start + 1);
  return messageEnd <= end ? messageEnd : undefined;
}
