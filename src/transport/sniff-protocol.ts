import type { Socket } from 'node:net';

/** The HTTP version that a connection speaks. */
export type HttpVersion = 'http1' | 'http2';

const HTTP2_PREFACE = Buffer.from('PRI');

/**
 * Finds out what a connection speaks by its first bytes: `PRI` opens HTTP/2, and no method of HTTP/1 begins so.
 *
 * Calls `then` in the same tick in which it has put the bytes back, so that none of them is missed. A client that says nothing
 * within `timeoutMs`, or leaves, is dropped, and `then` not called.
 */
export function sniffProtocol(socket: Socket, timeoutMs: number, then: (version: HttpVersion) => void): void {
  // The bytes are held here: putting them back and waiting for more would spin, since there is always something to read.
  let held: Buffer = Buffer.alloc(0);
  let lastRead: NodeJS.Immediate | undefined;
  // What a process that was short of time has not read yet counts as said: it is read before this is due.
  const timer = setTimeout(() => {
    lastRead = setImmediate(drop);
  }, timeoutMs);

  function stop(): void {
    clearTimeout(timer);
    clearImmediate(lastRead);
    socket.off('readable', read);
    socket.off('end', drop);
    socket.off('error', drop);
    socket.off('close', stop);
  }
  function drop(): void {
    stop();
    socket.on('error', () => {});
    socket.destroy();
  }
  function read(): void {
    const bytes: Buffer | null = socket.read();
    if (bytes === null) return;
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const version = versionOf(held);
    if (version === undefined) return;
    stop();
    socket.unshift(held);
    then(version);
  }
  socket.on('readable', read);
  socket.on('end', drop);
  socket.on('error', drop);
  socket.on('close', stop);
}

function versionOf(firstBytes: Buffer): HttpVersion | undefined {
  const seen = Math.min(firstBytes.length, HTTP2_PREFACE.length);
  if (firstBytes.compare(HTTP2_PREFACE, 0, seen, 0, seen) !== 0) return 'http1';
  return seen === HTTP2_PREFACE.length ? 'http2' : undefined;
}
