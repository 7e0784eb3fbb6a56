import { describe, expect, it } from 'vitest';
import { countKeepAliveStreams } from '../../support/etcd-lease-streams.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { openHold } from './hold-stream.ts';
import { countRenewals, grantRenewed } from './renewed-leases.ts';

const HOLDS = 100;
const RENEWED = 100;
const TTL_SECONDS = 9;
/** One that goes silent, on a machine that has too much to do, is followed by another. */
const MAX_STREAMS = 3;

describe('the renewals of a gateway', () => {
  it('share one stream to etcd, whoever wants them', async () => {
    await using gateway = await startGatewayOnEtcd();
    const clients = openClients(gateway.url);
    await grantRenewed(clients, { count: RENEWED, ttlSeconds: TTL_SECONDS });
    const holds = await Promise.all(
      Array.from({ length: HOLDS }, () => openHold(clients, { ttl: { seconds: BigInt(TTL_SECONDS) } })),
    );
    for (let i = 0; i < 20; i++) {
      const { leaseId } = await clients.leases.grant({ ttl: { seconds: 60n } });
      await clients.leases.renew({ leaseId });
    }
    const { endpoint } = gateway.etcd;
    const before = await countRenewals([endpoint]);
    await eventually(async () => {
      expect(await countRenewals([endpoint])).toBeGreaterThan(before + 5 * (HOLDS + RENEWED));
    }, 180_000);
    expect(await countKeepAliveStreams(endpoint)).toBeLessThanOrEqual(MAX_STREAMS);
    // The one more says that this gateway is alive.
    expect(gateway.app.stats()).toMatchObject({
      engine: { kept: HOLDS + RENEWED + 1, lost: 0 },
      sessions: HOLDS,
      autoRenewed: RENEWED,
    });
    await Promise.all(holds.map((hold) => hold[Symbol.asyncDispose]()));
    await eventually(() => expect(gateway.app.stats()).toMatchObject({ sessions: 0 }));
  }, 300_000);
});
