import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type KvClient, openKvClient } from '../../support/kv-client.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

/** A gateway that reaches its etcd through a proxy alone. */
export interface FaultyGateway extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly proxy: FaultProxy;
  readonly kv: KvClient;
  /** Another connection to the same etcd, which nothing harms. */
  readonly direct: Etcd;
}

/** Starts the proxy and the gateway. `env` holds settings by their names in the environment. */
export async function startFaultyGateway(
  etcd: TestEtcd,
  env: Readonly<Record<string, string>> = {},
): Promise<FaultyGateway> {
  await using started = new AsyncDisposableStack();
  const direct = started.use(openEtcd({ endpoints: [etcd.endpoint] }));
  const proxy = started.use(await startFaultProxy(etcd.port));
  const gateway = started.use(await startGateway([proxy.endpoint], env));
  const running = started.move();
  return {
    gateway,
    proxy,
    direct,
    kv: openKvClient(gateway.url),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
