import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchResponse_Kind as Kind } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startFaultyGateway } from '../watch/start-faulty-gateway.ts';
import { type ConfigWatch, describeItem, kindName, openConfigWatch } from './config-watch.ts';

/** The messages that follow the last resync, that included. */
function sinceResync(watch: ConfigWatch) {
  return watch.messages.slice(watch.messages.findLastIndex(({ kind }) => kind === Kind.RESYNC));
}

describe('a watch of configuration', () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateway = await startGateway([etcd.endpoint]);
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it.each([false, true])(
    'gets a whole set behind a resync where what came since its token was compacted away (effective: %s)',
    async (effective) => {
      const { config } = openClients(gateway.url);
      const request = { application: randomUUID(), profiles: ['prod'], effective };
      const { application } = request;
      await config.put({ application, key: 'gone', value: '1' });
      await config.put({ application, key: 'stays', value: '1' });
      const away = openConfigWatch(config, request);
      await away.opened;
      const resumeToken = away.token();
      await away[Symbol.asyncDispose]();
      await config.delete({ application, key: 'gone' });
      const { revision } = await config.put({ application, profile: 'prod', key: 'new', value: '1' });
      await compact(etcd.endpoint, revision);

      await using watch = openConfigWatch(config, { ...request, resumeToken });
      await watch.opened;
      expect(watch.messages.map(kindName)).toEqual(['RESYNC', 'SNAPSHOT', 'SYNCED', 'CHECKPOINT']);
      expect(watch.items()).toEqual(
        effective ? ['prod/new@1=1', 'default/stays@1=1'] : ['default/stays@1=1', 'prod/new@1=1'],
      );
      await config.put({ application, key: 'stays', value: '2' });
      await eventually(() =>
        expect(watch.changes()).toEqual(['UPDATED default/stays@2=2 < default/stays@1=1']),
      );
    },
  );

  it('begins anew with the token of a resync that broke off', async () => {
    const { config } = openClients(gateway.url);
    const application = randomUUID();
    const away = openConfigWatch(config, { application });
    await away.opened;
    const resumeToken = away.token();
    await away[Symbol.asyncDispose]();
    const { revision } = await config.put({ application, key: 'k', value: '1' });
    await compact(etcd.endpoint, revision);
    const broken = openConfigWatch(config, { application, resumeToken });
    const { resumeToken: resyncing } = await broken.find(({ kind }) => kind === Kind.RESYNC);
    await broken[Symbol.asyncDispose]();
    await using watch = openConfigWatch(config, { application, resumeToken: resyncing });
    await watch.opened;
    expect(watch.messages.map(kindName)).toEqual(['SNAPSHOT', 'SYNCED', 'CHECKPOINT']);
  });

  it('gets a whole set where its gateway was cut off, and what it missed was compacted away', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const here = openClients(faulty.gateway.url).config;
    const there = openClients(gateway.url).config;
    const application = randomUUID();
    await there.put({ application, key: 'gone', value: '1' });
    await using watch = openConfigWatch(here, { application });
    await watch.opened;
    faulty.proxy.refuse();
    faulty.proxy.cut();
    await there.delete({ application, key: 'gone' });
    const { revision } = await there.put({ application, key: 'new', value: '1' });
    await compact(etcd.endpoint, revision);
    faulty.proxy.accept();
    await watch.find(({ kind }) => kind === Kind.RESYNC);
    await eventually(() =>
      expect(sinceResync(watch).map(kindName).slice(0, 4)).toEqual([
        'RESYNC',
        'SNAPSHOT',
        'SYNCED',
        'CHECKPOINT',
      ]),
    );
    expect(sinceResync(watch)[1]?.items.map(describeItem)).toEqual(['default/new@1=1']);
    const { revision: later } = await there.put({ application, key: 'new', value: '2' });
    const told = await watch.find((message) => message.revision >= later && message.kind === Kind.EVENTS);
    expect(told.changes).toHaveLength(1);
  });

  it('goes on where its etcd is killed and started again', async () => {
    const own = await startEtcd();
    try {
      await using survivor = await startGateway([own.endpoint]);
      const { config } = openClients(survivor.url);
      const application = randomUUID();
      await using watch = openConfigWatch(config, { application });
      await watch.opened;
      await config.put({ application, key: 'k', value: '1' });
      await eventually(() => expect(watch.changes()).toHaveLength(1));
      await own.kill();
      await own.restart();
      await eventually(() => config.put({ application, key: 'k', value: '2', expectedRevision: undefined }));
      await eventually(() => expect(watch.changes().length).toBeGreaterThan(1));
      const { item } = await config.get({ application, key: 'k' });
      await eventually(() =>
        expect(watch.messages.at(-1)?.revision).toBeGreaterThanOrEqual(item?.revision ?? 0n),
      );
      // A put whose answer was lost may have been made twice.
      const versions = watch.messages.flatMap(({ changes }) => changes.map((change) => change.item?.version));
      expect(versions).toEqual(versions.map((_, i) => BigInt(i + 1)));
      expect(versions.at(-1)).toBe(item?.version);
      expect(watch.end).toBeUndefined();
    } finally {
      await own.stop();
    }
  }, 60_000);
});
