import type { Etcd } from './etcd/open-etcd.ts';
import type { Listener } from './transport/start-server.ts';

/** A gateway that runs, be it one process or several. Disposing drains it, and then stops the etcd that it runs. */
export interface Gateway extends AsyncDisposable {
  readonly listeners: readonly Listener[];
  /** How many processes serve. */
  readonly workers: number;
  /** Undefined: etcd did not answer yet. */
  readonly etcdVersion: string | undefined;
  /** Where the etcd that it runs keeps its data; undefined where it uses one that others run. */
  readonly etcdDataDir: string | undefined;
  /** Rejects when it cannot go on. Never resolves before it is drained. */
  readonly failed: Promise<void>;
}

const ETCD_VERSION_TIMEOUT_MS = 2_000;

/** Asks etcd for its version; undefined where it does not answer within 2 s. */
export async function readEtcdVersion(etcd: Etcd): Promise<string | undefined> {
  try {
    return await etcd.version({ signal: AbortSignal.timeout(ETCD_VERSION_TIMEOUT_MS) });
  } catch {
    return undefined;
  }
}
