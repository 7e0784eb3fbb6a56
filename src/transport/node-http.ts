import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';

/** A request of node:http or of node:http2's compatibility interface. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** A response of node:http or of node:http2's compatibility interface, with what both have in common. */
export type NodeResponse = (
  | Omit<ServerResponse, 'write' | 'end'>
  | Omit<Http2ServerResponse, 'write' | 'end'>
) & {
  write(chunk: Uint8Array): boolean;
  end(chunk?: string | Uint8Array): unknown;
  writeHead(status: number, headers?: Readonly<Record<string, string>>): unknown;
};

/** Answers one request, over whichever HTTP version it came. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

/** Returns the HTTP/2 stream of a request, or undefined where it came over HTTP/1. */
export function http2StreamOf(request: NodeRequest): ServerHttp2Stream | undefined {
  return 'stream' in request ? request.stream : undefined;
}

/** Tells whether a request came over TLS. */
export function isEncrypted(request: NodeRequest): boolean {
  return 'encrypted' in request.socket && request.socket.encrypted === true;
}

/** Returns headers in the form that Node's responses take. */
export function toHeaderFields(headers: Headers | undefined): Record<string, string> {
  const fields: Record<string, string> = {};
  headers?.forEach((value, name) => {
    fields[name] = value;
  });
  return fields;
}
