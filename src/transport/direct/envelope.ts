/** The bytes before a message in an envelope: flags, and the length of the message. */
export const ENVELOPE_BYTES = 5;

/** Returns `data` in an envelope, in memory of its own. */
export function envelope(flags: number, data: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES + data.byteLength);
  bytes[0] = flags;
  bytes.writeUInt32BE(data.byteLength, 1);
  bytes.set(data, ENVELOPE_BYTES);
  return bytes;
}

/** Returns what is in the envelope that `bytes` are; undefined where they are not exactly one, without flags. */
export function openEnvelope(bytes: Buffer): Buffer | undefined {
  const isOne =
    bytes.length >= ENVELOPE_BYTES &&
    bytes[0] === 0 &&
    bytes.readUInt32BE(1) === bytes.length - ENVELOPE_BYTES;
  return isOne ? bytes.subarray(ENVELOPE_BYTES) : undefined;
}
