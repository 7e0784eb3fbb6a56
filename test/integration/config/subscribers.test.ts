import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  WatchResponse_Kind as Kind,
  Subscriber_State as State,
  type Subscriber,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type ConfigClient, openConfigWatch } from './config-watch.ts';
import { subscribersOf } from './subscribers-of.ts';

describe('the subscribers of an application', () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[];
  let here: ConfigClient;
  let there: ConfigClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
    [here, there] = [0, 1].map((i) => openClients(gateways[i]?.url ?? '').config) as [
      ConfigClient,
      ConfigClient,
    ];
  });

  afterAll(async () => {
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  async function subscriberOf(config: ConfigClient, application: string): Promise<Subscriber> {
    const [subscriber, ...more] = await subscribersOf(config, application);
    expect(more).toEqual([]);
    return subscriber ?? expect.fail('nobody watches');
  }

  it('are listed by every gateway, with what they watch, from their first message on until they leave', async () => {
    const application = randomUUID();
    const startMs = Date.now();
    await using watch = openConfigWatch(here, {
      application,
      profiles: ['prod', 'prod-eu'],
      effective: true,
      subscriber: 'billing-7',
    });
    await watch.find(() => true);
    for (const config of [here, there]) {
      const subscriber = await subscriberOf(config, application);
      expect(subscriber).toMatchObject({
        subscriberId: watch.subscriberId(),
        name: 'billing-7',
        effective: true,
        state: State.SILENT,
        acknowledgedRevision: 0n,
        message: '',
      });
      expect(subscriber.profiles.filter((profile) => profile !== 'default')).toEqual(['prod', 'prod-eu']);
      const connectMs = Number(subscriber.connectTime?.seconds) * 1_000;
      expect(connectMs).toBeGreaterThan(startMs - 2_000);
      expect(connectMs).toBeLessThanOrEqual(Date.now());
    }
    await using _anonymous = openConfigWatch(there, { application });
    await eventually(async () =>
      expect((await subscribersOf(here, application)).map(({ name }) => name).toSorted()).toEqual([
        '',
        'billing-7',
      ]),
    );
    expect(await subscribersOf(here, randomUUID())).toEqual([]);
    await watch[Symbol.asyncDispose]();
    await eventually(async () =>
      expect((await subscribersOf(there, application)).map(({ name }) => name)).toEqual(['']),
    );
  });

  it('are listed with how far they are', async () => {
    const application = randomUUID();
    await using watch = openConfigWatch(here, { application, everySeconds: 3_600 });
    await watch.opened;
    for (const value of ['1', '2']) {
      const { revision } = await here.put({ application, key: 'k', value });
      await eventually(async () =>
        expect((await subscriberOf(there, application)).sentRevision).toBeGreaterThanOrEqual(revision),
      );
    }
  });

  it('are listed page by page', async () => {
    const application = randomUUID();
    await using opened = new AsyncDisposableStack();
    const names = Array.from({ length: 5 }, (_, i) => `s${i}`);
    for (const subscriber of names)
      await opened.use(openConfigWatch(here, { application, subscriber })).opened;
    expect((await subscribersOf(there, application, 2)).map(({ name }) => name).toSorted()).toEqual(names);
    const { nextPageToken: pageToken } = await here.listSubscribers({ application, pageSize: 2 });
    const failure = await failureOf(here.listSubscribers({ application: randomUUID(), pageToken }));
    expect(failure).toMatchObject({ code: 'InvalidArgument', reason: 'PAGE_TOKEN_INVALID' });
  });

  it('say at any gateway that they run with a revision, or why they cannot', async () => {
    const application = randomUUID();
    await using watch = openConfigWatch(here, { application });
    const { revision: acknowledgedRevision } = await watch.find(({ kind }) => kind === Kind.SYNCED);
    const said = { application, subscriberId: watch.subscriberId(), acknowledgedRevision };
    const failed = await there.acknowledge({ ...said, failed: true, message: 'no such pool' });
    expect(failed.revision).toBeGreaterThan(acknowledgedRevision);
    expect(await subscriberOf(here, application)).toMatchObject({
      state: State.FAILED,
      acknowledgedRevision,
      message: 'no such pool',
    });
    await here.acknowledge(said);
    expect(await subscriberOf(there, application)).toMatchObject({
      state: State.APPLIED,
      acknowledgedRevision,
      message: '',
    });
  });

  it('are unknown where they never were, have gone, or watch another application', async () => {
    const application = randomUUID();
    const watch = openConfigWatch(here, { application });
    await watch.opened;
    const subscriberId = watch.subscriberId();
    const refused = async (name: { readonly application: string; readonly subscriberId: string }) =>
      expect(await failureOf(there.acknowledge({ ...name, acknowledgedRevision: 1n }))).toMatchObject({
        code: 'NotFound',
        reason: 'SUBSCRIBER_NOT_FOUND',
        metadata: { application: name.application, subscriber_id: name.subscriberId },
      });
    await refused({ application, subscriberId: randomUUID() });
    await refused({ application: randomUUID(), subscriberId });
    await watch[Symbol.asyncDispose]();
    await eventually(async () => expect(await subscribersOf(there, application)).toEqual([]));
    await refused({ application, subscriberId });
  });
});
