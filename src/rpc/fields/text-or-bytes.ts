// Keys and values are bytes in the store and text, where they are text, on the wire: one of two twin fields is set.

import { isUtf8 } from 'node:buffer';
import { Encoding } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { reasonError } from '../checks/errors.ts';

/** Returns the bytes that a request names by its text field or, where that is empty, by the twin. */
export function toBytes(text: string, bytes: Uint8Array): Uint8Array {
  if (text === '') return bytes;
  if (!text.isWellFormed()) {
    throw reasonError(
      'REQUEST_MALFORMED',
      'A text holds half a surrogate pair, which UTF-8 cannot write; send it as bytes',
    );
  }
  return Buffer.from(text, 'utf8');
}

/** Returns `bytes` as text, or undefined where only bytes can tell them or the caller asked for bytes. */
export function toText(bytes: Uint8Array, encoding: Encoding): string | undefined {
  if (encoding === Encoding.BYTES || !isUtf8(bytes)) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
