import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** What requests of both versions of HTTP have in common: one of node:http is such, and one of our HTTP/2. */
export interface NodeRequest extends Readable {
  readonly httpVersion: string;
  readonly httpVersionMajor: number;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Names and values in turn, as they came; not of HTTP/2. */
  readonly rawHeaders?: readonly string[];
  /** HTTP/2 has it beside the headers. */
  readonly authority?: string | undefined;
  readonly socket: Socket;
  /** Whether all of the body has come. */
  readonly complete: boolean;
}

/** What responses of both versions of HTTP have in common. */
export interface NodeResponse extends Writable {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers?: Readonly<Record<string, string>>): unknown;
  addTrailers(trailers: Readonly<Record<string, string>>): unknown;
}

/** Answers one request, over whichever HTTP version it came. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

/** Tells whether a request came over HTTP/2, where it does not have the connection to itself. */
export function isHttp2(request: NodeRequest): boolean {
  return request.httpVersionMajor === 2;
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
