import type { ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { stopUnreadStream } from '../unread-body.ts';

/** Where the answer of a call goes, whichever version of HTTP it came by. What is given to one whose caller has left is dropped. */
export interface Outlet {
  readonly hasBegun: boolean;
  /** @param hasTrailers whether `end` will be given trailers. */
  begin(status: number, headers: Readonly<Record<string, string>>, hasTrailers: boolean): void;
  /** False: the connection has enough for now; see {@link Outlet.untilWritable}. */
  write(chunk: Uint8Array): boolean;
  /** Resolves when the connection takes more, or is gone. */
  untilWritable(): Promise<void>;
  end(chunk?: Uint8Array, trailers?: Readonly<Record<string, string>>): void;
  /** Ends it without an answer. */
  destroy(): void;
}

/** A stream of HTTP/2. */
export class Http2Outlet implements Outlet {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  get hasBegun(): boolean {
    return this.#stream.headersSent;
  }

  begin(status: number, headers: Readonly<Record<string, string>>, hasTrailers: boolean): void {
    if (this.#isGone) return;
    this.#stream.respond({ ':status': status, ...headers }, hasTrailers ? WITH_TRAILERS : undefined);
  }

  write(chunk: Uint8Array): boolean {
    return this.#isGone || this.#stream.write(chunk);
  }

  untilWritable(): Promise<void> {
    return this.#isGone ? Promise.resolve() : untilDrained(this.#stream);
  }

  end(chunk?: Uint8Array, trailers?: Readonly<Record<string, string>>): void {
    const stream = this.#stream;
    if (this.#isGone) return;
    if (!stream.readableEnded) stopUnreadStream(stream);
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(chunk);
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

const WITH_TRAILERS = { waitForTrailers: true };

/** A response of HTTP/1.1, which has no trailers. */
export class Http1Outlet implements Outlet {
  readonly #response: ServerResponse;
  readonly #isDraining: () => boolean;

  /** @param isDraining whether the answer is to be the last of its connection. */
  constructor(response: ServerResponse, isDraining: () => boolean) {
    this.#response = response;
    this.#isDraining = isDraining;
  }

  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.#isDraining()) this.#response.setHeader('connection', 'close');
    this.#response.writeHead(status, headers);
  }

  write(chunk: Uint8Array): boolean {
    return this.#response.destroyed || this.#response.write(chunk);
  }

  untilWritable(): Promise<void> {
    return this.#response.destroyed ? Promise.resolve() : untilDrained(this.#response);
  }

  end(chunk?: Uint8Array): void {
    this.#response.end(chunk);
  }

  destroy(): void {
    this.#response.destroy();
  }
}

function untilDrained(writable: ServerHttp2Stream | ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      writable.off('drain', done);
      writable.off('close', done);
      resolve();
    };
    writable.on('drain', done);
    writable.on('close', done);
  });
}
