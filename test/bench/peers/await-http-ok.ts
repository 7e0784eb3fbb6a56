import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 2;

/** Asks `http://127.0.0.1:<port><path>` every 2 ms until the answer is 200. Rejects with `signal.reason` on abort. */
export async function awaitHttpOk(
  port: number,
  path: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  while (!(await isOk(port, path))) {
    signal.throwIfAborted();
    await delay(POLL_MS);
  }
}

/** A server that does not listen yet is one that is not ready. */
function isOk(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}
