import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type DescMessage, fromBinary, fromJsonString, type Message, toJsonString } from '@bufbuild/protobuf';
import { reasonError } from '../../rpc/checks/errors.ts';
import { envelope, openEnvelope } from './envelope.ts';
import { MessageWriter } from './message-writer.ts';
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
export type Encode = (codec: Wire['codec'], schema: DescMessage, message: Message) => Uint8Array;

/** Returns an encoder of messages of up to `maxBytes`. */
export function createEncoder(maxBytes: number): Encode {
  const writer = new MessageWriter();
  return (codec, schema, message) => {
    const data =
      codec === 'proto' ? writer.write(schema, message) : Buffer.from(toJsonString(schema, message));
    if (data.byteLength <= maxBytes) return data;
    throw reasonError('RESPONSE_TOO_LARGE', 'The answer is too large; ask for less at once');
  };
}

/** Compresses a message, off the main thread. */
export const compress = promisify(gzip);

/** Returns an encoder of messages in their envelopes that encodes the same object only once a codec, whoever it goes to. */
export function createSharedEncoder(encode: Encode): Encode {
  const encoded = { proto: new WeakMap<Message, Uint8Array>(), json: new WeakMap<Message, Uint8Array>() };
  return (codec, schema, message) => {
    const known = encoded[codec].get(message);
    if (known !== undefined) return known;
    const enveloped = envelope(0, encode(codec, schema, message));
    encoded[codec].set(message, enveloped);
    return enveloped;
  };
}
