import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const MAX_TTL_SECONDS = 9_000_000_000n;

let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

async function hold(request: Parameters<Clients['leases']['hold']>[0]): Promise<void> {
  for await (const _ of clients.leases.hold(request, { timeoutMs: 10_000 })) return;
}

describe('a request about leases', () => {
  it.each<[string, (leases: Clients['leases']) => Promise<unknown>]>([
    ['a grant without a ttl', (leases) => leases.grant({})],
    ['a grant of no time', (leases) => leases.grant({ ttl: {} })],
    ['a grant of a negative time', (leases) => leases.grant({ ttl: { seconds: -1n } })],
    ['a grant of a negative part of a second', (leases) => leases.grant({ ttl: { nanos: -1 } })],
    ['a grant over the limit', (leases) => leases.grant({ ttl: { seconds: MAX_TTL_SECONDS + 1n } })],
    [
      'a grant over the limit by a nanosecond',
      (leases) => leases.grant({ ttl: { seconds: MAX_TTL_SECONDS, nanos: 1 } }),
    ],
    ['a grant of the longest time there is', (leases) => leases.grant({ ttl: { seconds: 2n ** 63n - 1n } })],
    ['a grant of a negative id', (leases) => leases.grant({ ttl: { seconds: 9n }, leaseId: -1n })],
    ['a renewal of no lease', (leases) => leases.renew({})],
    ['a renewal of a negative id', (leases) => leases.renew({ leaseId: -1n })],
    ['a reading of no lease', (leases) => leases.get({})],
    ['a reading of an unknown encoding', (leases) => leases.get({ leaseId: 1n, encoding: 99 as never })],
    ['a reading of a negative revision', (leases) => leases.get({ leaseId: 1n, minRevision: -1n })],
    ['a revocation of no lease', (leases) => leases.revoke({})],
    ['a start of no renewal', (leases) => leases.startAutoRenew({})],
    ['a stop of no renewal', (leases) => leases.stopAutoRenew({})],
    ['a page of a negative size', (leases) => leases.list({ pageSize: -1 })],
    ['a page that is too large', (leases) => leases.list({ pageSize: 1_001 })],
    ['a page of an unknown consistency', (leases) => leases.list({ consistency: 99 as never })],
    ['a page token that is too long', (leases) => leases.list({ pageToken: 'x'.repeat(4_097) })],
    ['a hold of nothing', () => hold({})],
    ['a hold of a lease and a time', () => hold({ leaseId: 1n, ttl: { seconds: 9n } })],
    ['a hold of a lease and a token', () => hold({ leaseId: 1n, resumeToken: 'x' })],
    ['a hold of no time', () => hold({ ttl: {} })],
    ['a hold of more than a day', () => hold({ ttl: { seconds: 86_401n } })],
    ['a hold of a negative id', () => hold({ leaseId: -1n })],
    ['a hold with a negative grace', () => hold({ ttl: { seconds: 9n }, grace: { seconds: -1n } })],
    ['a hold with a grace of more than a day', () => hold({ leaseId: 1n, grace: { seconds: 86_401n } })],
    ['a hold with a grace beside a token', () => hold({ resumeToken: 'x', grace: { seconds: 1n } })],
  ])('is refused where it is %s', async (_, call) => {
    expect(await failureOf(call(clients.leases))).toMatchObject({
      code: 'InvalidArgument',
      reason: 'FIELD_INVALID',
    });
  });

  it('is taken at its limits', async () => {
    const { leases } = clients;
    const longest = await leases.grant({ ttl: { seconds: MAX_TTL_SECONDS } });
    expect(longest.ttl?.seconds).toBe(MAX_TTL_SECONDS);
    const largest = { ttl: { seconds: 60n }, leaseId: 2n ** 63n - 1n, autoRenew: true };
    expect(await leases.grant(largest)).toMatchObject({ leaseId: largest.leaseId });
    expect(await leases.get({ leaseId: largest.leaseId })).toMatchObject({ autoRenewed: true });
    await leases.revoke({ leaseId: largest.leaseId });
  });

  it('has parts of a second taken for a whole one, and too little for the least that etcd grants', async () => {
    const { leases } = clients;
    expect((await leases.grant({ ttl: { seconds: 59n, nanos: 1 } })).ttl).toMatchObject({
      seconds: 60n,
      nanos: 0,
    });
    expect((await leases.grant({ ttl: { nanos: 1 } })).ttl?.seconds).toBeGreaterThanOrEqual(1n);
  });

  it('is refused where its resume token is damaged or belongs to something else', async () => {
    const { leases, kv } = clients;
    const controller = new AbortController();
    const watch = kv.watch({ key: 'x' }, { signal: controller.signal })[Symbol.asyncIterator]();
    const held = leases
      .hold({ ttl: { seconds: 60n } }, { signal: controller.signal })
      [Symbol.asyncIterator]();
    try {
      const own = String((await held.next()).value.resumeToken);
      const foreign = String((await watch.next()).value.resumeToken);
      const tokens = [foreign, own.slice(1), own.slice(0, -1), `${own}x`, own.toUpperCase(), '?', 'é'];
      for (const resumeToken of tokens) {
        expect(await failureOf(hold({ resumeToken })), resumeToken).toMatchObject({
          code: 'InvalidArgument',
          reason: 'RESUME_TOKEN_INVALID',
        });
      }
      const { leaseId } = await leases.grant({ ttl: { seconds: 60n } });
      expect(await leases.get({ leaseId })).toMatchObject({ held: false });
    } finally {
      controller.abort();
    }
  });
});
