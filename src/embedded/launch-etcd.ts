import { awaitHealth } from './await-health.ts';
import { type EtcdSettings, etcdArguments, type ProgressFlag } from './etcd-arguments.ts';
import { type EtcdExit, type EtcdProcess, spawnEtcd, terminateEtcd } from './etcd-process.ts';
import { isPortFree } from './free-port.ts';

/** One start of etcd. */
export interface LaunchOptions {
  readonly binary: string;
  readonly settings: EtcdSettings;
  readonly progressFlag: ProgressFlag;
  /** Where `/health` is asked without TLS. @default the client port */
  readonly healthPort?: number | undefined;
  /** Time until it must be healthy, in milliseconds. @default 30000 */
  readonly startTimeoutMs?: number | undefined;
  /** Called as soon as the process exists; the start goes on when it has resolved. @default nothing */
  readonly onSpawn?: ((pid: number) => Promise<void>) | undefined;
  /** Gets each line that etcd logs while it serves; those of a failed start are in the error. @default nothing */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** etcd did not become healthy; the message ends with the last lines it wrote. */
export class EtcdStartError extends Error {
  /** The last lines of its stderr, oldest first. */
  readonly lines: readonly string[];
  /** Whether a port it was to listen on is taken. */
  readonly isPortTaken: boolean;

  constructor(what: string, lines: readonly string[], isPortTaken = false) {
    super([`etcd did not start: ${what}`, ...lines].join('\n  '));
    this.name = 'EtcdStartError';
    this.lines = lines;
    this.isPortTaken = isPortTaken || lines.some((line) => line.includes('address already in use'));
  }
}

/**
 * Starts etcd and waits until it serves.
 *
 * When it ends early, does not serve in time, or `signal` aborts, no process is left.
 *
 * @throws {@link EtcdStartError}, or `signal.reason` on abort.
 */
export async function launchEtcd(
  options: LaunchOptions,
  { signal }: { signal: AbortSignal },
): Promise<EtcdProcess> {
  const { binary, settings, progressFlag, startTimeoutMs = 30_000 } = options;
  const { host, clientPort, peerPort } = settings;
  for (const port of [clientPort, peerPort]) {
    if (!(await isPortFree(host, port))) throw new EtcdStartError(`${host}:${port} is taken`, [], true);
  }
  signal.throwIfAborted();

  const etcd = spawnEtcd(binary, etcdArguments(settings, progressFlag));
  const late = AbortSignal.timeout(startTimeoutMs);
  const ended = new AbortController();
  void etcd.exited.then((exit) => ended.abort(new EtcdStartError(describeExit(exit), etcd.lastLines())));
  try {
    await options.onSpawn?.(etcd.pid);
    const health = { host, port: options.healthPort ?? clientPort };
    await awaitHealth(health, { signal: AbortSignal.any([signal, late, ended.signal]) });
    if (options.onLine !== undefined) etcd.follow(options.onLine);
    return etcd;
  } catch (error) {
    await terminateEtcd(etcd);
    if (late.aborted && !signal.aborted) {
      throw new EtcdStartError(`it was not healthy within ${startTimeoutMs} ms`, etcd.lastLines());
    }
    throw error;
  }
}

/** How a process ended, in words. */
export function describeExit({ code, signal }: EtcdExit): string {
  return signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
}
