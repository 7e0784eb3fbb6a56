import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PublishResponse } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type ConfigClient, type ConfigWatch, openConfigWatch } from './config-watch.ts';

/** Longer than any wait that is to end early, by far. */
const LONG = { seconds: 60n };
const SHORT = { nanos: 300_000_000 };

describe('Publish that waits for subscribers', () => {
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

  /** Opens so many watches, at both gateways by turns. */
  async function openWatches(
    stack: AsyncDisposableStack,
    application: string,
    count: number,
    profiles: readonly string[] = [],
  ): Promise<readonly ConfigWatch[]> {
    const watches = Array.from({ length: count }, (_, i) =>
      stack.use(openConfigWatch(i % 2 === 0 ? here : there, { application, profiles: [...profiles] })),
    );
    await Promise.all(watches.map((watch) => watch.opened));
    return watches;
  }

  /** Says of what a stream tells next that its subscriber runs with it, or cannot. */
  async function acknowledge(watch: ConfigWatch, application: string, failed = false): Promise<void> {
    const from = watch.messages.length;
    const { revision } = await watch.find(({ changes }) => changes.length > 0, { from });
    const said = { application, subscriberId: watch.subscriberId(), acknowledgedRevision: revision };
    await there.acknowledge({ ...said, failed });
  }

  function publish(application: string, delivery: object, profile = ''): Promise<PublishResponse> {
    return here.publish({ application, profile, puts: [{ key: 'k', value: randomUUID() }], delivery });
  }

  it('returns when all of them run with it', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const watches = await openWatches(stack, application, 3);
    const acknowledged = watches.map((watch) => acknowledge(watch, application));
    const { delivery, changes } = await publish(application, { timeout: LONG });
    await Promise.all(acknowledged);
    expect(changes).toHaveLength(1);
    expect(delivery).toMatchObject({ reached: true, subscriberCount: 3, appliedCount: 3, failedCount: 0 });
  });

  it('returns when as many run with it as were asked for', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const watches = await openWatches(stack, application, 4);
    const acknowledged = watches.slice(0, 2).map((watch) => acknowledge(watch, application));
    const { delivery } = await publish(application, { percent: 50, timeout: LONG });
    await Promise.all(acknowledged);
    expect(delivery).toMatchObject({ reached: true, subscriberCount: 4, appliedCount: 2, failedCount: 0 });
  });

  it('returns what it has when the time is over', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const [one] = await openWatches(stack, application, 2);
    if (one === undefined) return expect.fail();
    await publish(application, { timeout: SHORT });
    await here.acknowledge({ application, subscriberId: one.subscriberId(), acknowledgedRevision: 1n });
    const { delivery, revision } = await publish(application, { timeout: SHORT });
    // What was said of an earlier revision says nothing of this one.
    expect(delivery).toMatchObject({ reached: false, subscriberCount: 2, appliedCount: 0, failedCount: 0 });
    expect((await here.get({ application, key: 'k' })).item?.revision).toBe(revision);
  });

  it('returns as soon as it is certain that too many cannot run with it', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const [one] = await openWatches(stack, application, 3);
    if (one === undefined) return expect.fail();
    const failed = acknowledge(one, application, true);
    const { delivery } = await publish(application, { percent: 67, timeout: LONG });
    await failed;
    expect(delivery).toMatchObject({ reached: false, subscriberCount: 3, appliedCount: 0, failedCount: 1 });
  }, 30_000);

  it('waits on where one has failed, but enough may still run with it', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const [one, ...others] = await openWatches(stack, application, 3);
    if (one === undefined) return expect.fail();
    const failed = acknowledge(one, application, true);
    const applied = others.map(async (watch) => {
      await failed;
      const { revision } = await watch.find(({ changes }) => changes.length > 0);
      await here.acknowledge({
        application,
        subscriberId: watch.subscriberId(),
        acknowledgedRevision: revision,
      });
    });
    const { delivery } = await publish(application, { percent: 60, timeout: LONG });
    await Promise.all(applied);
    expect(delivery).toMatchObject({ reached: true, subscriberCount: 3, appliedCount: 2, failedCount: 1 });
  });

  it('does not wait for those who leave, nor for those who come later', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const [leaving, staying] = await openWatches(stack, application, 2);
    if (leaving === undefined || staying === undefined) return expect.fail();
    const published = publish(application, { timeout: LONG });
    await acknowledge(staying, application);
    await openWatches(stack, application, 1);
    await leaving[Symbol.asyncDispose]();
    expect((await published).delivery).toMatchObject({
      reached: true,
      subscriberCount: 1,
      appliedCount: 1,
      failedCount: 0,
    });
  });

  it('asks those alone who watch the profile', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    await openWatches(stack, application, 2, ['test']);
    const [prod] = await openWatches(stack, application, 1, ['prod']);
    if (prod === undefined) return expect.fail();
    const acknowledged = acknowledge(prod, application);
    const { delivery } = await publish(application, { timeout: LONG }, 'prod');
    await acknowledged;
    expect(delivery).toMatchObject({ reached: true, subscriberCount: 1, appliedCount: 1 });
  });

  it('has nobody to wait for where nobody watches', async () => {
    const { delivery } = await publish(randomUUID(), { timeout: LONG });
    expect(delivery).toMatchObject({ reached: true, subscriberCount: 0, appliedCount: 0, failedCount: 0 });
  });

  it('answers in time where the deadline of the call is shorter', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    await openWatches(stack, application, 1);
    const puts = [{ key: 'k', value: '1' }];
    const request = { application, puts, delivery: { timeout: LONG } };
    const { delivery, revision } = await here.publish(request, { timeoutMs: 2_500 });
    expect(delivery).toMatchObject({ reached: false, subscriberCount: 1, appliedCount: 0 });
    expect((await here.get({ application, key: 'k' })).item?.revision).toBe(revision);
  });

  it('tells who runs with what was published before, where nothing changes', async () => {
    const application = randomUUID();
    await using stack = new AsyncDisposableStack();
    const [watch] = await openWatches(stack, application, 1);
    if (watch === undefined) return expect.fail();
    const acknowledged = acknowledge(watch, application);
    const request = { application, puts: [{ key: 'k', value: '1' }], delivery: { timeout: LONG } };
    await here.publish(request);
    await acknowledged;
    // Others write meanwhile.
    await here.put({ application: randomUUID(), key: 'k' });
    const { delivery, changes } = await here.publish(request);
    expect(changes).toEqual([]);
    expect(delivery).toMatchObject({ reached: true, subscriberCount: 1, appliedCount: 1 });
  }, 30_000);

  it('asks nobody in a dry run', async () => {
    const application = randomUUID();
    const puts = [{ key: 'k', value: '1' }];
    const { delivery } = await here.publish({
      application,
      puts,
      dryRun: true,
      delivery: { timeout: LONG },
    });
    expect(delivery).toBeUndefined();
    await eventually(async () => expect((await there.list({ application })).items).toEqual([]));
  });
});
