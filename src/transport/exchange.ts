import { isHttp2, type NodeRequest, type NodeResponse } from './node-http.ts';
import { discardBody, leavesBodyUnread } from './unread-body.ts';

const SCHEME_AND_AUTHORITY = /^[a-z][a-z0-9+.-]*:(?:\/\/[^/?]*)?/i;

/** What an exchange has to know of its surroundings. */
export interface ExchangePolicy {
  /** Whether HTTP/1 connections are to be closed after their answer. */
  readonly isDraining: () => boolean;
  /** A rest of a request's body up to this size is waited for, in bytes; over it the connection is closed. */
  readonly maxRequestBytes: number;
}

/** One request and its response, with what is found out about them once, and how a response begins and ends. */
export class Exchange {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly requestId: string;
  readonly path: string;
  readonly query: string;
  readonly #policy: ExchangePolicy;
  #isBodyUnread = false;

  constructor(request: NodeRequest, response: NodeResponse, requestId: string, policy: ExchangePolicy) {
    this.request = request;
    this.response = response;
    this.requestId = requestId;
    this.#policy = policy;
    const target = originForm(request.url ?? '');
    const mark = target.indexOf('?');
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark);
    response.setHeader('x-request-id', requestId);
  }

  /** Sends the head of a response whose body follows. */
  begin(status: number, headers: Readonly<Record<string, string>>): void {
    this.#closeAfterwards();
    this.response.writeHead(status, headers);
  }

  /** Sends a whole response. */
  async respond(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array): Promise<void> {
    this.#closeAfterwards();
    this.response.statusCode = status;
    // Not writeHead: so HTTP/2 carries a head without body in a frame that ends the stream, as gRPC wants its status.
    for (const [name, value] of Object.entries(headers)) this.response.setHeader(name, value);
    if (mayHaveBody(status)) this.response.setHeader('content-length', String(body?.byteLength ?? 0));
    if (this.#isBodyUnread && body !== undefined) this.response.write(body);
    await this.finish(this.#isBodyUnread ? undefined : body);
  }

  /** Ends the response, after what still comes of the request has been dealt with. */
  async finish(lastChunk?: Uint8Array): Promise<void> {
    if (this.#isBodyUnread) await discardBody(this.request);
    this.response.end(lastChunk);
  }

  #closeAfterwards(): void {
    if (isHttp2(this.request)) return;
    this.#isBodyUnread = leavesBodyUnread(this.request, this.#policy.maxRequestBytes);
    if (this.#isBodyUnread || this.#policy.isDraining()) this.response.setHeader('connection', 'close');
  }
}

/** Tells whether an answer of this status may have a body, and so a length (RFC 9110, 8.6 and 15.4.5). */
export function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

/** Returns path and query of a request target as they were sent, also of one in absolute form (RFC 9112, 3.2.2). */
function originForm(target: string): string {
  if (target.startsWith('/') || !URL.canParse(target)) return target;
  const rest = target.replace(SCHEME_AND_AUTHORITY, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}
