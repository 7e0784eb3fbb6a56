// embedded: finds or fetches an etcd binary and runs it as a supervised child process.
// The gateway uses it when no endpoint is set; the tests use its parts. It imports nothing of ours.

import { join, resolve } from 'node:path';
import { claimDataDir, type DataDirClaim } from './claim-data-dir.ts';
import { checkDataVersion, recordDataVersion } from './data-version.ts';
import type { EmbeddedLog } from './embedded-log.ts';
import { findProgressFlag, urlOf } from './etcd-arguments.ts';
import type { EtcdProcess } from './etcd-process.ts';
import { findFreePort } from './free-port.ts';
import { EtcdStartError, type LaunchOptions, launchEtcd } from './launch-etcd.ts';
import { logEtcdLine } from './log-etcd-line.ts';
import { superviseEtcd } from './supervise-etcd.ts';

/** How an etcd is run for a gateway that has none. */
export interface EmbeddedEtcdOptions {
  /** Path of the binary, from `findEtcd`. */
  readonly binary: string;
  /** Its version, from `findEtcd`. */
  readonly version: string;
  /** The directory for `etcd/` (the data), `etcd.pid` and `etcd.version`; made when missing. One process at a time. */
  readonly dataDir: string;
  /** The address to listen on. Clients are not authenticated: keep it a loopback one. @default '127.0.0.1' */
  readonly listenHost?: string | undefined;
  /** 0 chooses a free one. It stays the same when etcd is restarted. @default 0 */
  readonly clientPort?: number | undefined;
  readonly log: EmbeddedLog;
  /** How far back revisions are kept, in etcd's words (`1h`). @default undefined: nothing is compacted */
  readonly autoCompactionRetention?: string | undefined;
  /** Whether a crash of the machine may lose confirmed writes: for tests. @default false */
  readonly unsafeNoFsync?: boolean | undefined;
  /** Further etcd flags. @default none */
  readonly extraArguments?: readonly string[] | undefined;
  /** Time in which a start must become healthy, in milliseconds. @default 30000 */
  readonly startTimeoutMs?: number | undefined;
}

/** A running etcd; disposing is stopping. */
export interface EmbeddedEtcd extends AsyncDisposable {
  /** Such as `http://127.0.0.1:23790`; the same for its whole life. */
  readonly endpoint: string;
  readonly version: string;
  readonly dataDir: string;
  /** The present process; another one after a restart. */
  readonly pid: number;
  /** Resolves when it has been stopped; rejects with an `EtcdCrashLoopError` when restarting it was given up. */
  readonly exited: Promise<void>;
  /** Ends etcd (SIGTERM, SIGKILL after 5 s) and frees the data directory. Idempotent. */
  stop(): Promise<void>;
}

const PORT_TRIES = 5;

/**
 * Runs etcd as a child of this process and waits until it serves.
 *
 * It is restarted on the same ports and data when it ends unasked. It ends when this process ends, however that
 * happens; should one be left all the same, the next start on the same directory ends it. Ctrl-C in a terminal does
 * not reach it: its owner drains first and then calls `stop`.
 *
 * @param options.signal - aborts the start only; afterwards `stop` ends it.
 * @throws DataDirInUseError when another live process has this directory, DataVersionError when its data is of a
 * version that this etcd cannot take over, EtcdStartError when etcd does not serve.
 */
export async function startEmbeddedEtcd(
  options: EmbeddedEtcdOptions,
  { signal }: { signal: AbortSignal },
): Promise<EmbeddedEtcd> {
  const { version, log, listenHost = '127.0.0.1' } = options;
  const dataDir = resolve(options.dataDir);
  const claim = await claimDataDir(dataDir, log, { signal });
  try {
    await checkDataVersion(dataDir, version);
    const { launch, etcd } = await startFirst(options, dataDir, claim, signal);
    await recordDataVersion(dataDir, version);
    const endpoint = urlOf(listenHost, launch.settings.clientPort);
    log.info({ endpoint, version, dataDir, pid: etcd.pid }, 'embedded etcd serves');
    const supervised = superviseEtcd({ first: etcd, launch, log, onEnd: () => claim.release() });
    return {
      endpoint,
      version,
      dataDir,
      get pid() {
        return supervised.pid();
      },
      exited: supervised.exited,
      stop: supervised.stop,
      [Symbol.asyncDispose]: supervised.stop,
    };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

async function startFirst(
  options: EmbeddedEtcdOptions,
  dataDir: string,
  claim: DataDirClaim,
  signal: AbortSignal,
): Promise<{ readonly launch: LaunchOptions; readonly etcd: EtcdProcess }> {
  const progressFlag = await findProgressFlag(options.binary, { signal });
  for (let tries = 1; ; tries += 1) {
    const launch = await planLaunch(options, dataDir, claim, progressFlag);
    try {
      return { launch, etcd: await launchEtcd(launch, { signal }) };
    } catch (error) {
      // Another process was faster to take the port that was free when it was chosen.
      const mayChooseAgain = error instanceof EtcdStartError && error.isPortTaken && !options.clientPort;
      if (!mayChooseAgain || tries === PORT_TRIES) throw error;
    }
  }
}

async function planLaunch(
  options: EmbeddedEtcdOptions,
  dataDir: string,
  claim: DataDirClaim,
  progressFlag: LaunchOptions['progressFlag'],
): Promise<LaunchOptions> {
  const { binary, log, listenHost: host = '127.0.0.1' } = options;
  const clientPort = options.clientPort || (await findFreePort(host));
  const peerPort = await findFreePort(host);
  const etcdDir = join(dataDir, 'etcd');
  return {
    binary,
    progressFlag,
    startTimeoutMs: options.startTimeoutMs,
    settings: {
      dataDir: etcdDir,
      host,
      clientPort,
      peerPort,
      autoCompactionRetention: options.autoCompactionRetention,
      unsafeNoFsync: options.unsafeNoFsync,
      extraArguments: options.extraArguments,
    },
    onSpawn: (pid) => claim.record({ pid, clientPort, peerPort, binary, dataDir: etcdDir }),
    onLine: (line) => logEtcdLine(log, line),
  };
}
