import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { MAX_JOINED_BYTES, type Outlet, textOf } from '../direct/outlet.ts';
import type { ConnectionHeaders } from './connection-headers.ts';

/**
 * The answer to a plain request. It is sent as a whole, with its length, when it ends.
 *
 * After the last answer of a connection that is to be closed, it closes it.
 */
export class PlainOutlet implements Outlet {
  readonly #socket: Socket;
  readonly #connectionHeaders: () => ConnectionHeaders;
  readonly #sent: (error?: Error | null) => void;
  #head = '';
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

  /** May be called again, for another answer than was begun: nothing of that has been sent. */
  begin(status: number, headers: readonly string[]): void {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i];
      if (name !== 'content-length') head += `${name}: ${headers[i + 1]}\r\n`;
    }
    this.#head = head;
    this.#chunks.length = 0;
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
    const head = `${this.#head}content-length: ${body?.byteLength ?? 0}\r\n${lines}\r\n`;
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
