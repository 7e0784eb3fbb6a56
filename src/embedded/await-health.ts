import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;
const REQUEST_TIMEOUT_MS = 2_000;

/**
 * Waits until etcd's `/health` says that it serves (it has a leader and answers a read).
 *
 * A database that is full (alarm NOSPACE) counts as healthy: it still serves reads, deletes and compaction.
 *
 * @param address - host and port of its client or metrics listener, without TLS.
 * @throws `signal.reason` on abort, which is also how the caller bounds the wait.
 */
export async function awaitHealth(
  address: { readonly host: string; readonly port: number },
  { signal }: { signal: AbortSignal },
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if (await isHealthy(address, signal)) return;
    await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function isHealthy(
  address: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(
      { ...address, path: '/health?exclude=NOSPACE', agent: false, signal, timeout: REQUEST_TIMEOUT_MS },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(/"health"\s*:\s*"true"/.test(body)));
        response.on('error', () => resolve(false));
      },
    );
    request.on('timeout', () => request.destroy());
    // Not listening yet, or not answering: asked again by the caller, within its bound.
    request.on('error', () => resolve(false));
  });
}
