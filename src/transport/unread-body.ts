import { isHttp2, type NodeRequest } from './node-http.ts';

/** How much of an unwanted body is read and thrown away, in bytes, and for how long, in milliseconds. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;
const MAX_DISCARD_MS = 3_000;

/**
 * Tells whether an HTTP/1 request is answered before its body has come, and more of it may come than is worth waiting for:
 * the connection cannot be used again then. A rest of at most `maxBytes` Node reads and drops by itself.
 */
export function leavesBodyUnread(request: NodeRequest, maxBytes: number): boolean {
  if (request.complete || isHttp2(request)) return false;
  const { 'transfer-encoding': encoding, 'content-length': length = '0' } = request.headers;
  return encoding !== undefined || Number(length) > maxBytes;
}

/**
 * Reads on and throws away what comes, so that a caller which sends all of its request before it reads the answer gets the
 * answer and not a reset connection. Resolves at the end of the body, when the caller leaves, or after 64 MiB or 3 s.
 */
export function discardBody(request: NodeRequest): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let discardedBytes = 0;
    const timer = setTimeout(done, MAX_DISCARD_MS);
    function done(): void {
      clearTimeout(timer);
      for (const event of ['end', 'close', 'error']) request.off(event, done);
      request.off('data', count);
      resolve();
    }
    function count(chunk: Uint8Array): void {
      discardedBytes += chunk.byteLength;
      if (discardedBytes > MAX_DISCARDED_BYTES) done();
    }
    for (const event of ['end', 'close', 'error']) request.on(event, done);
    request.on('data', count);
    request.resume();
  });
}
