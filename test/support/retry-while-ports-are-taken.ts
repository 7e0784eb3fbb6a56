import { EtcdStartError } from '../../src/embedded/launch-etcd.ts';

const TRIES = 5;

/** Runs a start again, with other ports, when another process was faster to take those that were free when chosen. */
export async function retryWhilePortsAreTaken<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof EtcdStartError && error.isPortTaken) || tries === TRIES) throw error;
    }
  }
}
