// bench/peers: the servers that are measured, each a process of its own on a free port of loopback.
// All end with the bench, and their data with them.

import { openTempDir } from '../../support/open-temp-dir.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { findBenchEtcd } from './find-bench-etcd.ts';
import { type GatewayProcess, startGatewayProcess } from './start-gateway-process.ts';
import { startGrpcProxy } from './start-grpc-proxy.ts';

/** The servers of one run. */
export interface Peers extends AsyncDisposable {
  /** Its JSON gateway is on the same port. */
  readonly etcd: { readonly endpoint: string; readonly port: number; readonly version: string };
  readonly grpcProxy: { readonly port: number };
  readonly gateway: GatewayProcess;
  /** Starts one more etcd, like the first. */
  startAnotherEtcd(): Promise<TestEtcd>;
  /** Starts one more gateway, on another etcd; it is profiled where the first one is. */
  startAnotherGateway(etcdEndpoint: string): Promise<GatewayProcess>;
  /** Starts one more gateway on the first etcd, with a worker for each core. */
  startGatewayOnAllCores(): Promise<GatewayProcess>;
}

/** etcd's own timing, since tests use a faster one, and room for the history of a run's writes. */
const ETCD_ARGS = [
  '--heartbeat-interval=100',
  '--election-timeout=1000',
  `--quota-backend-bytes=${8 * 2 ** 30}`,
];

/** The setting that has a gateway use every core. */
const ALL_CORES: Readonly<Record<string, string>> = { CONCORD_WORKERS: 'auto' };

/**
 * Starts etcd, its grpc-proxy and one gateway. etcd does not sync to disk: what is measured is the work, not the disk, and
 * that leaves etcd as fast as it can be beside Concord.
 */
export async function startPeers(options: {
  readonly etcdBinary: string | undefined;
  readonly profileDir: string | undefined;
  readonly signal: AbortSignal;
}): Promise<Peers> {
  const { profileDir, signal } = options;
  const binary = await findBenchEtcd(options.etcdBinary);
  await using started = new AsyncDisposableStack();
  const folder = started.use(await openTempDir());
  const startAnotherEtcd = () => startEtcd({ binary, args: ETCD_ARGS });
  const startAnotherGateway = (endpoint: string) => startGatewayProcess(endpoint, { profileDir, signal });
  const etcd = started.use(await startAnotherEtcd());
  const grpcProxy = started.use(await startGrpcProxy(binary, etcd.endpoint, { cwd: folder.path, signal }));
  const gateway = started.use(await startAnotherGateway(etcd.endpoint));
  const startGatewayOnAllCores = () =>
    startGatewayProcess(etcd.endpoint, { profileDir, env: ALL_CORES, signal });
  const running = started.move();
  return {
    etcd,
    grpcProxy,
    gateway,
    startAnotherEtcd,
    startAnotherGateway,
    startGatewayOnAllCores,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
