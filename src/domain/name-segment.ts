// Names as parts of keys: a name may hold any text, also the slash that separates the parts of a key.

const DIGITS = 19;

/** Returns a name as one part of a key: `%` and `/` are escaped as in a URL, everything else stands as it is. */
export function nameSegment(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

/** Returns the name that a part of a key stands for. */
export function segmentName(segment: string): string {
  return segment.replaceAll('%2F', '/').replaceAll('%25', '%');
}

/** Returns a revision or a lease id as a part of a key, so that keys sort as the numbers do. */
export function numberSegment(number: bigint): string {
  return String(number).padStart(DIGITS, '0');
}

/** Returns the number that a part of a key stands for, or undefined where it stands for none. */
export function segmentNumber(segment: string): bigint | undefined {
  return /^\d{19}$/.test(segment) ? BigInt(segment) : undefined;
}
