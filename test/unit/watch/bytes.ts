const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the key or value of a text. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Returns the text of a key or value. */
export function text(value: Uint8Array): string {
  return decoder.decode(value);
}
