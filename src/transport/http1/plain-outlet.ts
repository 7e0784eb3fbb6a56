import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { MAX_JOINED_BYTES, type Outlet, textOf } from '../direct/outlet.ts';

/**
 * The answer to a plain request. It is sent as a whole, with its length, when it ends.
 *
 * After the last answer of a connection that is to be closed, it closes it.
 */
export class PlainOutlet implements Outlet {
  readonly #socket: Socket;
  /** The headers that are the connection's own, in lines. */
  readonly #connectionHeaders: () => ConnectionHeaders;
  readonly #sent: (error?: Error | null) => void;
  #head = '';
  #isLengthTold = false;
  readonly #chunks: Uint8Array[] = [];

  /** @param sent is told when the answer has been handed to the system, or could not be. */
  constructor(
    socket: Socket,
    connectionHeaders: () => ConnectionHeaders,
    sent: (error?: Error | null) => void,
  ) {
    this.#socket = socket;
    this.#connectionHeaders = connectionHeaders;
    this.#sent = sent;
  }

  get hasBegun(): boolean {
    return this.#head !== '';
  }

  begin(status: number, headers: readonly string[]): void {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i];
      if (name === 'content-length') this.#isLengthTold = true;
      head += `${name}: ${headers[i + 1]}\r\n`;
    }
    this.#head = head;
  }

  /** Always takes more: what a unary call answers is bounded. */
  write(chunks: readonly Uint8Array[]): boolean {
    this.#chunks.push(...chunks);
    return true;
  }

  untilWritable(): Promise<void> {
    return Promise.resolve();
  }

  end(chunk?: Uint8Array): void {
    if (!this.#socket.writable) return;
    const body =
      this.#chunks.length === 0 ? chunk : Buffer.concat([...this.#chunks, ...(chunk ? [chunk] : [])]);
    const { lines, isLast } = this.#connectionHeaders();
    const length = this.#isLengthTold ? '' : `content-length: ${body?.byteLength ?? 0}\r\n`;
    const head = `${this.#head}${length}${lines}\r\n`;
    if (body === undefined || body.byteLength <= MAX_JOINED_BYTES) {
      this.#socket.write(body === undefined ? head : head + textOf(body), 'latin1', this.#sent);
    } else {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body, this.#sent);
      this.#socket.uncork();
    }
    if (isLast) this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** What the answers of a connection say of it. */
export interface ConnectionHeaders {
  /** Each with its line break. */
  readonly lines: string;
  /** Whether this answer is the last. */
  readonly isLast: boolean;
}

/**
 * Returns what makes those headers, as Node.js's own server has them; the date is written once a second.
 *
 * @param keepAliveMs how long a connection may be idle.
 */
export function createConnectionHeaders(
  keepAliveMs: number,
  isDraining: () => boolean,
): () => ConnectionHeaders {
  const kept = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1_000)}\r\n`;
  let second = 0;
  let date = '';
  return () => {
    const now = Date.now();
    if (Math.floor(now / 1_000) !== second) {
      second = Math.floor(now / 1_000);
      date = `Date: ${new Date(now).toUTCString()}\r\n`;
    }
    const isLast = isDraining();
    return { lines: date + (isLast ? CLOSED : kept), isLast };
  };
}

const CLOSED = 'Connection: close\r\n';
