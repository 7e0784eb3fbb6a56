import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type DescMessage, type Message, toBinary, toJsonString } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { codeToHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { reasonError } from '../../rpc/checks/errors.ts';
import { grpcStatus } from '../grpc-status.ts';
import { toHeaderFields } from '../node-http.ts';
import { envelope } from './envelope.ts';
import type { Wire } from './wire.ts';

/** All that is sent in answer to a unary call. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly trailers: Readonly<Record<string, string>> | undefined;
}

/** What bounds the answers. */
export interface AnswerLimits {
  /** Messages from this size on are compressed for those who take that, in bytes. */
  readonly compressMinBytes: number;
  /** The largest message, in bytes. */
  readonly maxResponseBytes: number;
}

const COMPRESSED = 1;
const SUCCEEDED: Readonly<Record<string, string>> = { 'grpc-status': '0' };
const SUCCEEDED_FRAME = envelope(trailerFlag, trailerSerialize(grpcStatus(undefined)));
const compress = promisify(gzip);

/** Returns the answer that is a message. Throws RESPONSE_TOO_LARGE, or what the codec says of a message that it cannot write. */
export function successAnswer(
  wire: Wire,
  schema: DescMessage,
  message: Message,
  acceptsGzip: boolean,
  { compressMinBytes, maxResponseBytes }: AnswerLimits,
): Answer | Promise<Answer> {
  const data =
    wire.codec === 'proto' ? toBinary(schema, message) : Buffer.from(toJsonString(schema, message));
  if (data.byteLength > maxResponseBytes)
    throw reasonError('RESPONSE_TOO_LARGE', 'The answer is too large; ask for less at once');
  if (acceptsGzip && data.byteLength >= compressMinBytes)
    return compress(data).then((compressed) => dataAnswer(wire, compressed, true));
  return dataAnswer(wire, data, false);
}

function dataAnswer({ protocol, contentType }: Wire, data: Uint8Array, isCompressed: boolean): Answer {
  const type = { 'content-type': contentType };
  const flags = isCompressed ? COMPRESSED : 0;
  switch (protocol) {
    case 'grpc': {
      const headers = isCompressed ? { ...type, 'grpc-encoding': 'gzip' } : type;
      return { status: 200, headers, body: envelope(flags, data), trailers: SUCCEEDED };
    }
    case 'grpc-web': {
      const headers = isCompressed ? { ...type, 'grpc-encoding': 'gzip' } : type;
      return whole(200, headers, Buffer.concat([envelope(flags, data), SUCCEEDED_FRAME]));
    }
    case 'connect':
      return whole(200, isCompressed ? { ...type, 'content-encoding': 'gzip' } : type, data);
  }
}

/** Returns the answer that is an error. */
export function failureAnswer({ protocol, contentType }: Wire, failure: ConnectError): Answer {
  const headers = { 'content-type': contentType };
  switch (protocol) {
    case 'grpc':
      return { status: 200, headers, body: undefined, trailers: toHeaderFields(grpcStatus(failure)) };
    case 'grpc-web':
      return whole(200, headers, envelope(trailerFlag, trailerSerialize(grpcStatus(failure))));
    case 'connect': {
      const body = errorToJsonBytes(failure, undefined);
      return whole(codeToHttpStatus(failure.code), { 'content-type': 'application/json' }, body);
    }
  }
}

/** An answer without trailers, whose length is told. */
function whole(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array): Answer {
  const length = { 'content-length': String(body.byteLength) };
  return { status, headers: { ...headers, ...length }, body, trailers: undefined };
}
