import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchMetrics } from '../../bench/peers/metrics.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { callAll, getsOf, type ManyCalls, PATIENT_ELECTION, putsOf } from './many-calls.ts';

const CALLS = 1_000;
/** What a gateway asks for itself meanwhile. */
const OWN_CALLS = 10;
/** The most that so many calls at once may ask of etcd: they do 10 and 19 times; a machine that stands still sends smaller batches. */
const MAX_ETCD_CALLS = { gets: 100 + OWN_CALLS, puts: 100 + OWN_CALLS } as const;

describe(`${CALLS} calls at once`, () => {
  let gateway: TestGateway & { readonly etcd: TestEtcd };
  const prefix = `test/${randomUUID()}/`;

  beforeAll(async () => {
    gateway = await startGatewayOnEtcd({}, PATIENT_ELECTION);
    await callAll(gateway.port, putsOf(prefix, CALLS), 100);
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
  });

  /** How often etcd's KV service has been called. */
  async function etcdCalls(): Promise<number> {
    const metrics = await fetchMetrics(Number(new URL(gateway.etcd.endpoint).port), {
      signal: AbortSignal.timeout(30_000),
    });
    return metrics.sum('grpc_server_started_total', { grpc_service: 'etcdserverpb.KV' });
  }

  async function etcdCallsOf(calls: ManyCalls): Promise<number> {
    const before = await etcdCalls();
    await callAll(gateway.port, calls, CALLS);
    return (await etcdCalls()) - before;
  }

  it.each([
    { name: 'linearizable Gets', calls: getsOf(prefix, CALLS), most: MAX_ETCD_CALLS.gets },
    { name: 'Puts of distinct keys', calls: putsOf(prefix, CALLS), most: MAX_ETCD_CALLS.puts },
  ])('that are $name are at most $most calls of etcd', async ({ name, calls, most }) => {
    const asked = await etcdCallsOf(calls);
    expect(asked, `calls of etcd for ${CALLS} ${name} at once have grown`).toBeLessThanOrEqual(most);
    expect(asked, 'etcd tells its calls').toBeGreaterThan(0);
  });
});
