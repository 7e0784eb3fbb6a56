import { CODE, ConnectionError } from './protocol.ts';

/** How much a client may send over all streams of a connection (RFC 9113, 5.2). It grows by what was dealt with, half of it at a time. */
export class ReceiveWindow {
  readonly #bytes: number;
  readonly #grant: (bytes: number) => void;
  #left: number;
  #consumedBytes = 0;

  /** @param grant tells the client that it may send so many bytes more. */
  constructor(bytes: number, grant: (bytes: number) => void) {
    this.#bytes = bytes;
    this.#left = bytes;
    this.#grant = grant;
  }

  /** So many bytes have come. Throws a {@link ConnectionError} for more than was allowed. */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new ConnectionError(CODE.flowControlError, 'More data than was allowed');
  }

  /** So many bytes are dealt with, and as many may come again. */
  consume(bytes: number): void {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < this.#bytes / 2) return;
    this.#left += this.#consumedBytes;
    this.#grant(this.#consumedBytes);
    this.#consumedBytes = 0;
  }
}
