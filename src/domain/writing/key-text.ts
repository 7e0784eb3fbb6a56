// Keys as people read them in messages.

const decoder = new TextDecoder('utf-8');
const MAX_LENGTH = 256;

/** Returns a key as text for an error or a log line: bytes that are not UTF-8 are replaced, a long key is cut at 256 characters. */
export function keyText(key: Uint8Array): string {
  const text = decoder.decode(key);
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
