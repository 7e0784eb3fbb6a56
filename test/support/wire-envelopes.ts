const ENVELOPE_HEAD_BYTES = 5;

/** One envelope of gRPC, gRPC-Web and Connect's streams. */
export interface Envelope {
  readonly flags: number;
  readonly content: Buffer;
}

/** Returns the envelopes that a body is made of; a last one that is cut short has less in it than it says. */
export function envelopesOf(body: Buffer): readonly Envelope[] {
  const envelopes: Envelope[] = [];
  for (let rest = body; rest.length >= ENVELOPE_HEAD_BYTES; ) {
    const end = ENVELOPE_HEAD_BYTES + rest.readUInt32BE(1);
    envelopes.push({ flags: rest.readUInt8(), content: rest.subarray(ENVELOPE_HEAD_BYTES, end) });
    rest = rest.subarray(end);
  }
  return envelopes;
}
