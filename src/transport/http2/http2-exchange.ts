// A stream as a request and a response of the kind that node:http has, for all that is not served straight from the stream.

import { Readable, Writable } from 'node:stream';
import type { NodeHandler, NodeRequest, NodeResponse } from '../node-http.ts';
import type { Http2Stream } from './http2-stream.ts';
import { CODE } from './protocol.ts';

/** Has a stream answered by a handler. A client that waits for leave to send its body is given it (RFC 9110, 10.1.1). */
export function handleStream(stream: Http2Stream, handler: NodeHandler): void {
  const { expect } = stream.head.headers;
  if (expect?.toLowerCase() === '100-continue') {
    stream.inform(100);
  } else if (expect !== undefined) {
    stream.beginAndEnd(417, []);
    return;
  }
  const request = new Http2Request(stream);
  const response = new Http2Response(stream);
  stream.receiver = {
    data: (chunk) => request.add(chunk),
    end: () => request.add(null),
    closed(isWhole) {
      if (isWhole) response.sent();
      else response.destroy();
      if (!request.readableEnded) request.destroy();
    },
  };
  handler(request, response);
}

class Http2Request extends Readable implements NodeRequest {
  readonly httpVersion = '2.0';
  readonly httpVersionMajor = 2;
  readonly method: string;
  readonly url: string;
  readonly headers: NodeRequest['headers'];
  readonly authority: string | undefined;
  readonly #stream: Http2Stream;
  /** What has come and was not asked for yet, in bytes. */
  #unreadBytes = 0;

  constructor(stream: Http2Stream) {
    super();
    const { method, path, headers, authority } = stream.head;
    this.#stream = stream;
    this.method = method;
    this.url = path;
    this.headers = headers;
    this.authority = authority;
  }

  get socket() {
    return this.#stream.connection.socket;
  }

  get complete(): boolean {
    return this.#stream.isReceived;
  }

  add(chunk: Buffer | null): boolean {
    if (this.destroyed) return true;
    const isWanted = this.push(chunk);
    if (!isWanted) this.#unreadBytes += chunk?.byteLength ?? 0;
    return isWanted;
  }

  override _read(): void {
    const bytes = this.#unreadBytes;
    this.#unreadBytes = 0;
    if (bytes > 0) this.#stream.consume(bytes);
  }

  /** What nobody has read, nobody will: the connection's window is not to lose it. */
  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    this._read();
    destroyed(error);
  }
}

class Http2Response extends Writable implements NodeResponse {
  statusCode = 200;
  readonly #stream: Http2Stream;
  readonly #fields = new Map<string, string>();
  #trailers: string[] | undefined;
  #finished: (() => void) | undefined;

  constructor(stream: Http2Stream) {
    super();
    this.#stream = stream;
  }

  get headersSent(): boolean {
    return this.#stream.hasBegun;
  }

  setHeader(name: string, value: string): void {
    this.#fields.set(name.toLowerCase(), value);
  }

  writeHead(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
  }

  addTrailers(trailers: Readonly<Record<string, string>>): void {
    this.#trailers = Object.entries(trailers).flat();
  }

  /** All of it has left. */
  sent(): void {
    this.#finished?.();
  }

  override _write(chunk: Uint8Array, _: BufferEncoding, written: () => void): void {
    const isHead = this.#stream.head.method === 'HEAD';
    if (!isHead && !this.headersSent) this.#stream.begin(this.statusCode, this.#list());
    if (isHead || this.#stream.write([chunk])) written();
    else void this.#stream.untilWritable().then(written);
  }

  override _final(finished: () => void): void {
    this.#finished = finished;
    if (this.headersSent) this.#stream.end(undefined, this.#trailers);
    else if (this.#trailers === undefined) this.#stream.beginAndEnd(this.statusCode, this.#list());
    else {
      this.#stream.begin(this.statusCode, this.#list());
      this.#stream.end(undefined, this.#trailers);
    }
  }

  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    if (!this.#stream.isSent) this.#stream.reset(error === null ? CODE.cancel : CODE.internalError);
    destroyed(error);
  }

  #list(): string[] {
    return [...this.#fields].flat();
  }
}
