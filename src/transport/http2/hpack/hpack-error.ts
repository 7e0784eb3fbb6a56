/** A block of headers that is no HPACK: the connection cannot go on, since nobody knows what its table is (RFC 9113, 4.3). */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}
