import type { ServerResponse } from 'node:http';
import { untilDrained } from '../until-drained.ts';

/** Where the answer of a call goes, whichever version of HTTP it came by. What is given to one whose caller has left is dropped. */
export interface Outlet {
  readonly hasBegun: boolean;
  /**
   * @param headers names and values in turn.
   */
  begin(status: number, headers: readonly string[]): void;
  /** Writes chunks together. False: the connection has enough for now; see {@link Outlet.untilWritable}. */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Resolves when the connection takes more, or is gone. */
  untilWritable(): Promise<void>;
  /** @param trailers names and values in turn. */
  end(chunk?: Uint8Array, trailers?: readonly string[]): void;
  /** Ends it without an answer. */
  destroy(): void;
}

const LAST = ['connection', 'close'];
/** A body of up to so many bytes leaves in one piece with its head. */
export const MAX_JOINED_BYTES = 16 * 1024;

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

  begin(status: number, headers: readonly string[]): void {
    this.#response.writeHead(status, this.#isDraining() ? [...headers, ...LAST] : [...headers]);
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#response.destroyed || writeTogether(this.#response, chunks);
  }

  untilWritable(): Promise<void> {
    return this.#response.destroyed ? Promise.resolve() : untilDrained(this.#response);
  }

  end(chunk?: Uint8Array): void {
    // As text a small body is joined with the headers.
    if (chunk === undefined || chunk.byteLength > MAX_JOINED_BYTES) this.#response.end(chunk);
    else this.#response.end(textOf(chunk), 'latin1');
  }

  destroy(): void {
    this.#response.destroy();
  }
}

/** Returns bytes as text, each a character. */
export function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}

function writeTogether(writable: ServerResponse, chunks: readonly Uint8Array[]): boolean {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return writable.write(first);
  writable.cork();
  let isWritable = true;
  for (const chunk of chunks) isWritable = writable.write(chunk);
  writable.uncork();
  return isWritable;
}
