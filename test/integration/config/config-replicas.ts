import { randomUUID } from 'node:crypto';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

/** Gateways on one etcd; disposing ends all. */
export interface ConfigReplicas extends AsyncDisposable {
  readonly etcd: TestEtcd;
  /** Etcd without a gateway between. */
  readonly direct: Etcd;
  readonly gateways: readonly TestGateway[];
  /** Calls round the gateways. */
  client(i: number): Clients['config'];
}

/** Returns the name of an application that no other test has. */
export function applicationName(): string {
  return `app-${randomUUID()}`;
}

/** Starts them. `env` holds settings by their names in the environment. */
export async function startConfigReplicas(
  count: number,
  env: Readonly<Record<string, string>> = {},
): Promise<ConfigReplicas> {
  await using started = new AsyncDisposableStack();
  const etcd = started.use(await startEtcd());
  const gateways = await Promise.all(Array.from({ length: count }, () => startGateway([etcd.endpoint], env)));
  for (const gateway of gateways) started.use(gateway);
  const direct = started.use(openEtcd({ endpoints: [etcd.endpoint] }));
  const clients = gateways.map(({ url }) => openClients(url).config);
  const resources = started.move();
  return {
    etcd,
    direct,
    gateways,
    client(i) {
      const client = clients[i % count];
      if (client === undefined) throw new Error('there is no gateway');
      return client;
    },
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}
