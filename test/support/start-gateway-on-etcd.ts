import { startEtcd } from './start-etcd.ts';
import { startGateway, type TestGateway } from './start-gateway.ts';
import type { TestEtcd } from './test-etcd.ts';

/** Starts an etcd and a gateway on it; disposing ends both. `env` holds settings by their names in the environment. */
export async function startGatewayOnEtcd(
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway & { readonly etcd: TestEtcd }> {
  const etcd = await startEtcd();
  try {
    const gateway = await startGateway([etcd.endpoint], env);
    return {
      ...gateway,
      etcd,
      async [Symbol.asyncDispose]() {
        await gateway[Symbol.asyncDispose]();
        await etcd.stop();
      },
    };
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}
