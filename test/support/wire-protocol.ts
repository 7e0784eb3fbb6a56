import type { RawHttpVersion, RawRequest } from './raw-request.ts';

/** How a message goes over the wire: a protocol with a codec, over a version of HTTP. */
export interface WireProtocol {
  readonly name: string;
  readonly kind: 'connect' | 'grpc' | 'grpc-web';
  readonly codec: 'json' | 'proto';
  readonly httpVersion: RawHttpVersion;
  readonly contentType: string;
}

/** Every one that a unary call can be made in. */
export const WIRE_PROTOCOLS: readonly WireProtocol[] = (['json', 'proto'] as const).flatMap((codec) => [
  wireProtocol('connect', codec, '1.1'),
  wireProtocol('connect', codec, '2'),
  wireProtocol('grpc', codec, '2'),
  wireProtocol('grpc-web', codec, '1.1'),
  wireProtocol('grpc-web', codec, '2'),
]);

/** The ones with a codec, or of a protocol. */
export function wireProtocols(
  only: Partial<Pick<WireProtocol, 'kind' | 'codec' | 'httpVersion'>>,
): readonly WireProtocol[] {
  return WIRE_PROTOCOLS.filter(
    ({ kind, codec, httpVersion }) =>
      (only.kind ?? kind) === kind &&
      (only.codec ?? codec) === codec &&
      (only.httpVersion ?? httpVersion) === httpVersion,
  );
}

/** The path of an rpc of KvService. */
export function kvPath(rpc: string): string {
  return `/concord.kv.v1.KvService/${rpc}`;
}

/** Returns the request that carries one encoded message to a unary rpc; `headers` win over those of the protocol. */
export function wireRequest(
  protocol: WireProtocol,
  path: string,
  message: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): RawRequest {
  const { kind, contentType } = protocol;
  const bytes = Buffer.from(message);
  return {
    path,
    headers: { 'content-type': contentType, ...(kind === 'grpc' && { te: 'trailers' }), ...headers },
    body: kind === 'connect' ? bytes : envelope(bytes),
  };
}

/** The same for an rpc that answers with a stream. */
export function wireStreamRequest(
  protocol: WireProtocol,
  path: string,
  message: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): RawRequest {
  if (protocol.kind !== 'connect') return wireRequest(protocol, path, message, headers);
  return {
    path,
    headers: { 'content-type': `application/connect+${protocol.codec}`, ...headers },
    body: envelope(Buffer.from(message)),
  };
}

/** Returns bytes in an envelope of gRPC, gRPC-Web and Connect's streams; `length` may lie. */
export function envelope(bytes: Uint8Array, { flags = 0, length = bytes.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

function wireProtocol(
  kind: WireProtocol['kind'],
  codec: WireProtocol['codec'],
  httpVersion: RawHttpVersion,
): WireProtocol {
  const words = { connect: 'Connect', grpc: 'gRPC', 'grpc-web': 'gRPC-Web' } as const;
  return {
    name: `${words[kind]}, ${codec}, HTTP/${httpVersion}`,
    kind,
    codec,
    httpVersion,
    contentType: kind === 'connect' ? `application/${codec}` : `application/${kind}+${codec}`,
  };
}
