// What stands as JSON in values that any etcd client may have written: it is read as if nobody had to keep to anything.

/** The end of the year 9999: later, no message can say when. */
const MAX_WALL_MS = 253_402_300_799_999;

/** Returns the members of an object that a value holds; none where it holds no object. */
export function storedFields(value: Uint8Array): object {
  try {
    const fields: unknown = JSON.parse(new TextDecoder().decode(value));
    return typeof fields === 'object' && fields !== null ? fields : {};
  } catch {
    return {};
  }
}

/** Returns a member as text that can be sent; empty where it is none. */
export function storedText(member: unknown): string {
  return typeof member === 'string' ? member.toWellFormed() : '';
}

/** Returns a member as a point in time, in milliseconds since 1970; 0 where it is none that can be sent. */
export function storedTime(member: unknown): number {
  const wallMs = typeof member === 'string' ? Date.parse(member) : Number.NaN;
  return wallMs >= 0 && wallMs <= MAX_WALL_MS ? wallMs : 0;
}

/** Returns a member, a text of digits, as a revision; 0n where it is none. */
export function storedRevision(member: unknown): bigint {
  return typeof member === 'string' && /^\d{1,18}$/.test(member) ? BigInt(member) : 0n;
}
