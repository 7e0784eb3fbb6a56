import { eventually } from './eventually.ts';
import { startEtcd } from './start-etcd.ts';
import { startGateway, type TestGateway } from './start-gateway.ts';
import { storeStateOf } from './store-state.ts';
import type { TestEtcd } from './test-etcd.ts';

/** The revision of an etcd that nothing was written to. */
const EMPTY_REVISION = '1';

/**
 * Flags with which no lease of an etcd lives for less than 9 s: the one that says that the gateway is alive outlasts what tests do to
 * the process that both are in, and nothing is written but what they ask for.
 */
export const LONG_LEASES = ['--heartbeat-interval=200', '--election-timeout=6000'];

/**
 * Starts an etcd and a gateway on it; disposing ends both.
 *
 * @param env - settings by their names in the environment
 * @param args - flags of the etcd. @default none
 */
export async function startGatewayOnEtcd(
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<TestGateway & { readonly etcd: TestEtcd }> {
  const started = new AsyncDisposableStack();
  try {
    const etcd = started.use(await startEtcd({ args }));
    const gateway = started.use(await startGateway([etcd.endpoint], env));
    // It says in the store, on a lease, that it is alive: what tests compare the store with begins after that.
    await eventually(async () => {
      const { revision, leases } = await storeStateOf(etcd);
      if (revision === EMPTY_REVISION || leases !== 1)
        throw new Error('the gateway is not known to be alive');
    });
    return { ...gateway, etcd, [Symbol.asyncDispose]: () => started.disposeAsync() };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}
