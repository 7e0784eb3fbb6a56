import { Buffer } from 'node:buffer';
import {
  type DescMessage,
  type DescMethodServerStreaming,
  fromBinary,
  fromJsonString,
  type Message,
  type MessageShape,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { encodeEnvelope } from '@connectrpc/connect/protocol';
import { endStreamFlag, endStreamToJson } from '@connectrpc/connect/protocol-connect';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { reasonError } from '../rpc/checks/errors.ts';
import type { Validate } from '../rpc/checks/validation.ts';
import { noteFailure } from './call-interceptor.ts';
import type { Exchange } from './exchange.ts';
import { grpcStatus } from './grpc-status.ts';
import { type NodeRequest, toHeaderFields } from './node-http.ts';
import type { RequestBody } from './request-body.ts';
import type { RpcCall } from './rpc-call.ts';
import { untilWritable } from './send-answer.ts';

/** A server-streaming rpc whose messages are often the same object for many callers, so that it pays to encode each once. */
export interface StreamRpc {
  readonly method: DescMethodServerStreaming<DescMessage, DescMessage>;
  readonly serve: (request: Message, options: { readonly signal: AbortSignal }) => AsyncIterable<Message>;
}

/** Ties an rpc to what serves it, with the types of its messages, behind the check of its requests. */
export function streamRpc<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodServerStreaming<Input, Output>,
  validate: Validate,
  serve: (
    request: MessageShape<Input>,
    options: { readonly signal: AbortSignal },
  ) => AsyncIterable<MessageShape<Output>>,
): StreamRpc {
  return {
    method,
    serve(request, options) {
      validate(method.input, request);
      return serve(request as MessageShape<Input>, options);
    },
  };
}

/** Returns what serves a call, or undefined where the library does. */
export type EncodedStreams = (
  path: string,
  request: NodeRequest,
) => ((exchange: Exchange, call: RpcCall) => Promise<void>) | undefined;

/** How the messages of a call are written. */
interface Wire {
  readonly protocol: 'grpc' | 'grpc-web' | 'connect';
  readonly codec: 'proto' | 'json';
  readonly contentType: string;
}

const CONTENT_TYPE = /^application\/(grpc|grpc-web|connect)(?:\+(proto|json))?$/;
/** With one of these a call has a deadline or is compressed: the library sees to that. */
const LIBRARY_HEADERS = [
  'grpc-timeout',
  'connect-timeout-ms',
  'grpc-encoding',
  'connect-content-encoding',
  'content-encoding',
];
const ENVELOPE_BYTES = 5;
const MAX_MESSAGE_CHARS = 512;

/**
 * Serves streams past the library, whose chain of iterables costs more than all the rest: each message object is encoded once a
 * codec, whoever it goes to, and the same bytes are written to each. The envelope is the same in gRPC, gRPC-Web and Connect.
 *
 * It leaves calls to the library that are compressed, or have a deadline.
 */
export function createEncodedStreams(rpcs: readonly StreamRpc[], maxRequestBytes: number): EncodedStreams {
  const byPath = new Map(rpcs.map((rpc) => [`/${rpc.method.parent.typeName}/${rpc.method.name}`, rpc]));
  const encode = createEncoder();

  return (path, request) => {
    const rpc = byPath.get(path);
    const wire = rpc === undefined ? undefined : wireOf(request);
    if (rpc === undefined || wire === undefined) return undefined;
    return async (exchange, call) => {
      const { response } = exchange;
      let hasBegun = false;
      function begin(): void {
        if (!hasBegun) exchange.begin(200, { 'content-type': wire?.contentType ?? '' });
        hasBegun = true;
      }
      try {
        if (call.refusal !== undefined) throw call.refusal;
        const message = await readRequest(call.body, rpc.method.input, wire, maxRequestBytes);
        for await (const answer of rpc.serve(message, { signal: call.signal })) {
          if (call.isEnded) return;
          begin();
          if (!response.write(encode(rpc.method.output, answer, wire.codec)))
            await untilWritable(response, call);
          if (call.isEnded) return;
        }
        if (call.stopReason !== undefined) throw call.stopReason;
      } catch (error) {
        noteFailure(call, error);
      }
      if (call.isEnded) return;
      begin();
      writeEnd(exchange, call, wire);
      await exchange.finish();
    };
  };
}

function wireOf({ method, headers }: NodeRequest): Wire | undefined {
  const contentType = headers['content-type'] ?? '';
  const [, protocol, codec] = CONTENT_TYPE.exec(contentType) ?? [];
  const isLeft = method !== 'POST' || LIBRARY_HEADERS.some((name) => headers[name] !== undefined);
  if (isLeft || protocol === undefined || (protocol === 'connect' && codec === undefined)) return undefined;
  return {
    protocol: protocol as Wire['protocol'],
    codec: codec === 'json' ? 'json' : 'proto',
    contentType,
  };
}

/** Encodes a message with its envelope; the same object only once a codec. */
function createEncoder() {
  const encoded = { proto: new WeakMap<Message, Uint8Array>(), json: new WeakMap<Message, Uint8Array>() };
  return (schema: DescMessage, message: Message, codec: Wire['codec']): Uint8Array => {
    const known = encoded[codec].get(message);
    if (known !== undefined) return known;
    const data = codec === 'proto' ? toBinary(schema, message) : Buffer.from(toJsonString(schema, message));
    const envelope = encodeEnvelope(0, data);
    encoded[codec].set(message, envelope);
    return envelope;
  };
}

async function readRequest(
  body: RequestBody | undefined,
  schema: DescMessage,
  { codec }: Wire,
  maxBytes: number,
): Promise<Message> {
  const bytes = await readAll(body, maxBytes + ENVELOPE_BYTES);
  const isOneMessage =
    bytes.length >= ENVELOPE_BYTES && bytes.readUInt32BE(1) === bytes.length - ENVELOPE_BYTES;
  if (!isOneMessage || bytes[0] !== 0) {
    throw reasonError('REQUEST_MALFORMED', 'The body is not exactly one message in an envelope');
  }
  const data = bytes.subarray(ENVELOPE_BYTES);
  try {
    return codec === 'proto' ? fromBinary(schema, data) : fromJsonString(schema, data.toString('utf8'));
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, MAX_MESSAGE_CHARS) : String(error);
    throw reasonError('REQUEST_MALFORMED', message, {}, error);
  }
}

async function readAll(body: RequestBody | undefined, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) {
      const limit = String(maxBytes - ENVELOPE_BYTES);
      throw reasonError('REQUEST_TOO_LARGE', `The request is larger than ${limit} bytes`, {
        limit_bytes: limit,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function writeEnd({ response }: Exchange, { failure }: RpcCall, { protocol }: Wire): void {
  switch (protocol) {
    case 'grpc':
      response.addTrailers(toHeaderFields(grpcStatus(failure)));
      return;
    case 'grpc-web':
      response.write(encodeEnvelope(trailerFlag, trailerSerialize(grpcStatus(failure))));
      return;
    case 'connect': {
      const end = endStreamToJson(new Headers(), failure, undefined);
      response.write(encodeEnvelope(endStreamFlag, Buffer.from(JSON.stringify(end))));
    }
  }
}
