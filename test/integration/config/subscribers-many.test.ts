import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { storeStateOf } from '../../support/store-state.ts';
import { openConfigWatch } from './config-watch.ts';
import { subscribersOf } from './subscribers-of.ts';

const SUBSCRIBERS = 1_000;
const CONNECTIONS = 20;

describe('a thousand subscribers who come at once', () => {
  it('are all listed by another gateway, how far they are too, with few transactions', async () => {
    await using gateway = await startGatewayOnEtcd();
    const { etcd } = gateway;
    await using other = await startGateway([etcd.endpoint]);
    const clients = Array.from({ length: CONNECTIONS }, () => openClients(gateway.url).config);
    const there = openClients(other.url).config;
    const application = randomUUID();
    const before = BigInt((await storeStateOf(etcd)).revision);

    await using opened = new AsyncDisposableStack();
    const names = Array.from({ length: SUBSCRIBERS }, (_, i) => `s${String(i).padStart(4, '0')}`);
    const watches = names.map((subscriber, i) => {
      const client = clients[i % CONNECTIONS] ?? expect.fail();
      return opened.use(openConfigWatch(client, { application, subscriber, everySeconds: 3_600 }));
    });
    await Promise.all(watches.map((watch) => watch.opened));
    await eventually(async () =>
      expect((await subscribersOf(there, application)).map(({ name }) => name).toSorted()).toEqual(names),
    );
    const { revision } = await there.put({ application, key: 'k' });
    await eventually(async () => {
      const behind = (await subscribersOf(there, application)).filter((each) => each.sentRevision < revision);
      expect(behind).toHaveLength(0);
    });
    // Each has come, and was sent something twice; one by one these were 3,000.
    const written = BigInt((await storeStateOf(etcd)).revision) - before;
    expect(Number(written)).toBeLessThan(SUBSCRIBERS / 5);

    await opened.disposeAsync();
    await eventually(async () => expect(await subscribersOf(there, application)).toEqual([]));
  }, 120_000);
});
