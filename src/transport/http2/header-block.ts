import { CODE, ConnectionError } from './protocol.ts';

/** What a block may be before it is decoded, in bytes, and in how many frames it may come. */
const MAX_BLOCK_BYTES = 128 * 1024;
const MAX_FRAMES = 64;

/** A block of headers, while its frames come. */
export class HeaderBlock {
  readonly streamId: number;
  /** Whether nothing follows it on its stream. */
  readonly isLast: boolean;
  readonly isSelfDependent: boolean;
  readonly #parts: Buffer[];
  #size: number;

  constructor(streamId: number, isLast: boolean, isSelfDependent: boolean, first: Buffer) {
    this.streamId = streamId;
    this.isLast = isLast;
    this.isSelfDependent = isSelfDependent;
    this.#parts = [first];
    this.#size = first.length;
  }

  /** Throws a {@link ConnectionError} for more than anybody needs. */
  add(part: Buffer): void {
    this.#parts.push(part);
    this.#size += part.length;
    if (this.#size > MAX_BLOCK_BYTES || this.#parts.length > MAX_FRAMES)
      throw new ConnectionError(CODE.enhanceYourCalm, 'A block of headers without end');
  }

  get bytes(): Buffer {
    const [first] = this.#parts;
    return this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts, this.#size);
  }
}
