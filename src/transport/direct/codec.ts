import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type Message,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { reasonError } from '../../rpc/checks/errors.ts';
import { envelope, openEnvelope } from './envelope.ts';
import type { Wire } from './wire.ts';

/** Returns the message that a body is; undefined: it is not exactly one of this type. */
export function decodeBody(wire: Wire, schema: DescMessage, body: Buffer): Message | undefined {
  const data = wire.isEnveloped ? openEnvelope(body) : body;
  if (data === undefined) return undefined;
  try {
    return wire.codec === 'proto' ? fromBinary(schema, data) : fromJsonString(schema, data.toString());
  } catch {
    return undefined;
  }
}

/** Returns a message as bytes. Throws RESPONSE_TOO_LARGE, or what the codec says of a message that it cannot write. */
export function encodeMessage(
  codec: Wire['codec'],
  schema: DescMessage,
  message: Message,
  maxBytes: number,
): Uint8Array {
  const data = codec === 'proto' ? toBinary(schema, message) : Buffer.from(toJsonString(schema, message));
  if (data.byteLength <= maxBytes) return data;
  throw reasonError('RESPONSE_TOO_LARGE', 'The answer is too large; ask for less at once');
}

/** Compresses a message, off the main thread. */
export const compress = promisify(gzip);

/** Encodes a message in its envelope. */
export type EncodeEnveloped = (codec: Wire['codec'], schema: DescMessage, message: Message) => Uint8Array;

/** Returns an encoder that encodes the same object only once a codec, whoever it goes to. */
export function createSharedEncoder(maxBytes: number): EncodeEnveloped {
  const encoded = { proto: new WeakMap<Message, Uint8Array>(), json: new WeakMap<Message, Uint8Array>() };
  return (codec, schema, message) => {
    const known = encoded[codec].get(message);
    if (known !== undefined) return known;
    const enveloped = envelope(0, encodeMessage(codec, schema, message, maxBytes));
    encoded[codec].set(message, enveloped);
    return enveloped;
  };
}
