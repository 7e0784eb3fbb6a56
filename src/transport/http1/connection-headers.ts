/** What the answers of a connection say of it. */
export interface ConnectionHeaders {
  /** Each with its line break. */
  readonly lines: string;
  /** Whether this answer is the last. */
  readonly isLast: boolean;
}

/**
 * Returns what makes those headers, as node:http has them; the date is written once a second.
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
