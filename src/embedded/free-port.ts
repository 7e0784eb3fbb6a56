import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range that Linux (from 32768) and macOS (from 49152) take outgoing ports from. */
const FIRST_PORT = 15_000;
const LAST_PORT = 30_000;
const TRIES = 100;

/**
 * A port that nothing listens on now, for a server that has to be told its port and must get it again after a restart.
 *
 * Not one the system would give (port 0): those are also used for outgoing connections, and a client that tries to
 * reach a restarting server there can connect to itself and so keep the port.
 */
export async function findFreePort(host: string): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isPortFree(host, port)) return port;
  }
  throw new Error(`no free port found on ${host}`);
}

/** Whether nothing listens there now. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen({ host, port, exclusive: true }), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
