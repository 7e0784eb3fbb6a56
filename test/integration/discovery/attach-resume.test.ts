import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { duration, instanceOf, watchReasons } from './watch-reasons.ts';

/** A gateway that a test ends. */
interface Replica {
  readonly url: string;
  end(): Promise<unknown>;
}

const serviceOf = () => `resume-${randomUUID()}`;

describe('a stream that attached an instance, resumed by its token', { timeout: 180_000 }, () => {
  let etcd: TestEtcd;
  let survivor: TestGateway;
  let discovery: Clients['discovery'];

  beforeAll(async () => {
    etcd = await startEtcd();
    survivor = await startGateway([etcd.endpoint]);
    discovery = openClients(survivor.url).discovery;
  });

  afterAll(async () => {
    await survivor?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  async function startDrained(): Promise<Replica> {
    const gateway = await startGateway([etcd.endpoint]);
    return { url: gateway.url, end: () => gateway.app.drain() };
  }

  async function startKilled(): Promise<Replica> {
    const gateway = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    return {
      url: gateway.url,
      async end() {
        gateway.signal('SIGKILL');
        await gateway[Symbol.asyncDispose]();
      },
    };
  }

  function attach(client: Clients['discovery'], request: Parameters<Clients['discovery']['attach']>[0]) {
    const controller = new AbortController();
    return collect(client.attach(request, { signal: controller.signal }), controller);
  }

  it.each([
    ['drained', startDrained],
    ['killed', startKilled],
  ])('goes on at another replica after its gateway was %s', async (_, start) => {
    const service = serviceOf();
    await using watcher = await watchReasons(discovery, service);
    let resumeToken = '';
    let leaseId: bigint | undefined;
    for (let round = 0; round < 2; round++) {
      const replica = await start();
      try {
        const request =
          round === 0
            ? { instance: instanceOf(service, 'a'), ttl: duration(2_000), grace: duration(8_000) }
            : { resumeToken };
        await using stream = attach(openClients(replica.url).discovery, request);
        const first = await stream.find(() => true);
        leaseId ??= first.instance?.leaseId;
        expect(first.instance).toMatchObject({ service, instanceId: 'a', leaseId });
        await replica.end();
        await eventually(() => expect(stream.end?.error).toBeInstanceOf(Error));
        resumeToken = stream.messages.at(-1)?.resumeToken ?? '';
      } finally {
        await replica.end();
      }
    }
    await using last = attach(discovery, { resumeToken });
    expect(await last.find(() => true)).toMatchObject({ instance: { service, instanceId: 'a', leaseId } });
    // It is renewed there: it lives longer than any grant from before would.
    await eventually(() => expect(last.messages.length).toBeGreaterThan(4), 40_000);
    expect(watcher.told).toEqual(['REGISTERED a']);
    await last[Symbol.asyncDispose]();
    await discovery.unregister({ service, instanceId: 'a' });
  });

  it('has a lease that lives for its whole grace when its gateway is killed just before it renews', async () => {
    const service = serviceOf();
    await using gateway = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    const graceMs = 6_000;
    const request = { instance: instanceOf(service, 'a'), ttl: duration(1_000), grace: duration(graceMs) };
    await using stream = attach(openClients(gateway.url).discovery, request);
    const { resumeToken, instance, expireTime } = await stream.find(() => true);
    const { leases } = openClients(survivor.url);
    const leaseId = instance?.leaseId ?? 0n;
    const { grantedTtl } = await leases.get({ leaseId });
    // A renewal comes after a third of this at the latest.
    const granted = Number(grantedTtl?.seconds) * 1_000;
    expect(granted * (2 / 3)).toBeGreaterThanOrEqual(graceMs);
    expect(Number(expireTime?.seconds)).toBeGreaterThan(0);
    gateway.signal('SIGKILL');
    await using last = attach(discovery, { resumeToken });
    expect(await last.find(() => true)).toMatchObject({ instance: { leaseId } });
  });

  it('ends the stream that had it', async () => {
    const service = serviceOf();
    await using watcher = await watchReasons(discovery, service);
    await using other = await startGateway([etcd.endpoint]);
    const elsewhere = openClients(other.url).discovery;
    for (const [index, next] of [discovery, elsewhere].entries()) {
      const instanceId = `a${index}`;
      await using stream = attach(discovery, {
        instance: instanceOf(service, instanceId),
        ttl: duration(5_000),
      });
      const { resumeToken, instance } = await stream.find(() => true);
      await using resumed = attach(next, { resumeToken });
      expect(await resumed.find(() => true)).toMatchObject({ instance: { leaseId: instance?.leaseId } });
      const failure = await eventually(() => failureOf(Promise.reject(stream.end?.error)));
      expect(failure).toMatchObject({ code: 'Aborted', reason: 'SESSION_TAKEN_OVER' });
      expect(watcher.of(instanceId)).toEqual(['REGISTERED']);
      await resumed[Symbol.asyncDispose]();
      await watcher.heard(`UNREGISTERED ${instanceId}`);
    }
  });

  it('is refused once its grace has passed, and where there was none', async () => {
    const service = serviceOf();
    await using watcher = await watchReasons(discovery, service);
    for (const graceMs of [0, 1_000]) {
      const instanceId = `grace-${graceMs}`;
      const request = {
        instance: instanceOf(service, instanceId),
        ttl: duration(2_000),
        grace: duration(graceMs),
      };
      const stream = attach(discovery, request);
      const { resumeToken } = await stream.find(() => true);
      await stream[Symbol.asyncDispose]();
      await watcher.heard(`UNREGISTERED ${instanceId}`);
      const call = discovery.attach({ resumeToken })[Symbol.asyncIterator]().next();
      expect(await failureOf(call)).toMatchObject({ code: 'NotFound', reason: 'SESSION_NOT_FOUND' });
    }
    expect((await discovery.discover({ service })).instances).toEqual([]);
  });

  it('is refused where another client has written in its place, and leaves that alone', async () => {
    const service = serviceOf();
    const { kv } = openClients(survivor.url);
    const stream = attach(discovery, {
      instance: instanceOf(service, 'a'),
      ttl: duration(2_000),
      grace: duration(20_000),
    });
    const { resumeToken } = await stream.find(() => true);
    await stream[Symbol.asyncDispose]();
    await kv.put({ key: `/services/${service}/a`, value: '{"host":"10.0.0.1","port":80}' });
    const call = discovery.attach({ resumeToken })[Symbol.asyncIterator]().next();
    expect(await failureOf(call)).toMatchObject({ code: 'NotFound', reason: 'SESSION_NOT_FOUND' });
    const { instance } = await discovery.getInstance({ service, instanceId: 'a' });
    expect(instance).toMatchObject({ host: '10.0.0.1', leaseId: 0n });
  });

  it('keeps what was changed while nobody was attached', async () => {
    const service = serviceOf();
    const stream = attach(discovery, { instance: instanceOf(service, 'a'), grace: duration(20_000) });
    const { resumeToken } = await stream.find(() => true);
    await stream[Symbol.asyncDispose]();
    await discovery.updateInstance({ instance: instanceOf(service, 'a', { version: '2' }) });
    await using resumed = attach(discovery, { resumeToken });
    expect(await resumed.find(() => true)).toMatchObject({ instance: { version: '2' } });
    await discovery.unregister({ service, instanceId: 'a' });
    const failure = await eventually(() => failureOf(Promise.reject(resumed.end?.error)));
    expect(failure).toMatchObject({ reason: 'INSTANCE_NOT_FOUND' });
  });
});
