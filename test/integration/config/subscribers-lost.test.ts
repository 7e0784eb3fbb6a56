import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { openConfigWatch } from './config-watch.ts';
import { subscribersOf } from './subscribers-of.ts';

/** Longer than the lease that subscribers stand on, and than etcd takes to notice. */
const LEASE_TIMEOUT_MS = 45_000;

describe('a subscriber', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('is forgotten when its gateway is killed, within the time to live of its lease', async () => {
    const application = randomUUID();
    await using other = await startGateway([etcd.endpoint]);
    const { config } = openClients(other.url);
    await using doomed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    await using watch = openConfigWatch(openClients(doomed.url).config, { application });
    await watch.opened;
    await using _stays = openConfigWatch(config, { application, subscriber: 'stays' });
    await eventually(async () => expect(await subscribersOf(config, application)).toHaveLength(2));
    doomed.signal('SIGKILL');
    await eventually(
      async () =>
        expect((await subscribersOf(config, application)).map(({ name }) => name)).toEqual(['stays']),
      LEASE_TIMEOUT_MS,
    );
  }, 120_000);

  it('is forgotten at once when its gateway is drained', async () => {
    const application = randomUUID();
    await using other = await startGateway([etcd.endpoint]);
    const drained = await startGateway([etcd.endpoint]);
    await using watch = openConfigWatch(openClients(drained.url).config, { application });
    await watch.opened;
    await drained.app.drain();
    await eventually(() => expect(watch.end?.error).toBeInstanceOf(Error));
    expect(await subscribersOf(openClients(other.url).config, application)).toEqual([]);
  });

  it('is listed again when etcd has lost the lease that it stands on, and may acknowledge', async () => {
    const application = randomUUID();
    await using gateway = await startGateway([etcd.endpoint]);
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    const { config, kv } = openClients(gateway.url);
    await using watch = openConfigWatch(config, { application, subscriber: 'survivor' });
    const { revision } = await watch.opened;
    const prefix = '/concord/config/';
    const keyOf = async () => {
      const { kvs } = await kv.list({ prefix, pageSize: 1_000 });
      return kvs.find(({ key }) => key.includes(`subscriber/${application}`));
    };
    const lost = (await keyOf())?.leaseId ?? expect.fail('its key has no lease');
    await direct.leases.revoke(lost, { signal: AbortSignal.timeout(10_000) });
    await eventually(async () => {
      expect((await subscribersOf(config, application)).map(({ name }) => name)).toEqual(['survivor']);
      expect((await keyOf())?.leaseId).not.toBe(lost);
    });
    const said = { application, subscriberId: watch.subscriberId(), acknowledgedRevision: revision };
    await config.acknowledge(said);
    expect(await subscribersOf(config, application)).toMatchObject([{ acknowledgedRevision: revision }]);
  });
});
