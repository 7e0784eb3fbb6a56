import { httpDate } from '../http-date.ts';

/** What the answers of a connection say of it. */
export interface ConnectionHeaders {
  /** Each with its line break. */
  readonly lines: string;
  /** Whether this answer is the last. */
  readonly isLast: boolean;
}

const CLOSED = 'Connection: close\r\n';

/**
 * Returns what makes those headers, as node:http has them.
 *
 * @param keepAliveMs how long a connection may be idle.
 */
export function createConnectionHeaders(
  keepAliveMs: number,
  isDraining: () => boolean,
): () => ConnectionHeaders {
  const kept = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1_000)}\r\n`;
  return () => {
    const isLast = isDraining();
    return { lines: `Date: ${httpDate()}\r\n${isLast ? CLOSED : kept}`, isLast };
  };
}
