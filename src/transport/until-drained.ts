import type { NodeResponse } from './node-http.ts';

/** Resolves when a connection that had enough takes more, or is gone. */
export function untilDrained(writable: NodeResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      writable.off('drain', done);
      writable.off('close', done);
      resolve();
    };
    writable.on('drain', done);
    writable.on('close', done);
  });
}
