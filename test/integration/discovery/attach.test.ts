import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startAttachedProcess } from './attached-process.ts';
import { duration, instanceOf, watchReasons } from './watch-reasons.ts';

/** Far shorter than what a lease would take, far longer than what a busy machine does. */
const PROMPT_MS = 15_000;
const serviceOf = () => `attach-${randomUUID()}`;

describe('an attached instance', { timeout: 120_000 }, () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;
  let other: TestGateway;
  let discovery: ReturnType<typeof openClients>['discovery'];
  let elsewhere: ReturnType<typeof openClients>['discovery'];

  beforeAll(async () => {
    etcd = await startEtcd();
    [gateway, other] = await Promise.all([startGateway([etcd.endpoint]), startGateway([etcd.endpoint])]);
    discovery = openClients(gateway.url).discovery;
    elsewhere = openClients(other.url).discovery;
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  function attachHere(service: string, instanceId: string, graceMs = 0) {
    const controller = new AbortController();
    const request = {
      instance: instanceOf(service, instanceId),
      ttl: duration(30_000),
      grace: duration(graceMs),
    };
    return collect(discovery.attach(request, { signal: controller.signal }), controller);
  }

  it('is gone for every watcher as soon as its process is killed', async () => {
    const service = serviceOf();
    const watchers = await Promise.all([watchReasons(discovery, service), watchReasons(elsewhere, service)]);
    for (let round = 0; round < 3; round++) {
      const instanceId = `killed-${round}`;
      await using process = await startAttachedProcess({
        url: gateway.url,
        service,
        instanceIds: [instanceId],
      });
      await Promise.all(watchers.map((watcher) => watcher.heard(`REGISTERED ${instanceId}`)));
      const killedMs = performance.now();
      process.signal('SIGKILL');
      const heardMs = await Promise.all(
        watchers.map((watcher) => watcher.heard(`UNREGISTERED ${instanceId}`)),
      );
      expect(Math.max(...heardMs) - killedMs).toBeLessThan(PROMPT_MS);
      for (const watcher of watchers) {
        expect(watcher.of(instanceId)).toEqual(['REGISTERED', 'UNREGISTERED']);
      }
    }
    await Promise.all(watchers.map((watcher) => watcher[Symbol.asyncDispose]()));
  });

  it('outlives its process for its grace, and is then gone for every watcher', async () => {
    const service = serviceOf();
    await using here = await watchReasons(discovery, service);
    await using there = await watchReasons(elsewhere, service);
    const instanceIds = ['graced'];
    await using process = await startAttachedProcess({
      url: gateway.url,
      service,
      instanceIds,
      graceSeconds: 3,
    });
    const killedMs = performance.now();
    await process.kill();
    const heardMs = await Promise.all([here, there].map((watcher) => watcher.heard('UNREGISTERED graced')));
    for (const ms of heardMs) {
      expect(ms - killedMs).toBeGreaterThan(2_900);
      expect(ms - killedMs).toBeLessThan(3_000 + PROMPT_MS);
    }
    for (const watcher of [here, there]) expect(watcher.of('graced')).toEqual(['REGISTERED', 'UNREGISTERED']);
  });

  it('lives through many times to live', async () => {
    const service = serviceOf();
    await using here = await watchReasons(elsewhere, service);
    const controller = new AbortController();
    const request = { instance: instanceOf(service, 'short'), ttl: duration(1_000) };
    await using stream = collect(discovery.attach(request, { signal: controller.signal }), controller);
    await eventually(() => expect(stream.messages.length).toBeGreaterThan(15), 30_000);
    const times = stream.messages.map(({ expireTime }) => Number(expireTime?.seconds));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(here.told).toEqual(['REGISTERED short']);
  });

  it('says what it is now, whoever changed it, and stays what it was changed to', async () => {
    const service = serviceOf();
    const controller = new AbortController();
    const request = { instance: instanceOf(service, 'changed'), ttl: duration(1_000) };
    await using stream = collect(discovery.attach(request, { signal: controller.signal }), controller);
    await stream.find(() => true);
    await elsewhere.updateInstance({ instance: instanceOf(service, 'changed', { version: '2' }) });
    const message = await stream.find(({ instance }) => instance?.version === '2');
    expect(message.instance?.leaseId).toBe(stream.messages[0]?.instance?.leaseId);
  });

  it.each(['unregistered', 're-registered', 'attached by another'])(
    'has its stream ended when it is %s elsewhere',
    async (what) => {
      const service = serviceOf();
      await using here = await watchReasons(discovery, service);
      await using stream = attachHere(service, 'a', 20_000);
      const { resumeToken } = await stream.find(() => true);
      const instance = instanceOf(service, 'a', { version: 'next' });
      const controller = new AbortController();
      if (what === 'unregistered') await elsewhere.unregister({ service, instanceId: 'a' });
      else if (what === 're-registered') await elsewhere.register({ instance });
      else {
        const next = collect(elsewhere.attach({ instance }, { signal: controller.signal }), controller);
        await next.find(() => true);
      }
      const failure = await eventually(() => failureOf(Promise.reject(stream.end?.error)));
      expect(failure).toMatchObject({
        code: 'NotFound',
        reason: 'INSTANCE_NOT_FOUND',
        metadata: { service, instance_id: 'a' },
      });
      const resumed = elsewhere.attach({ resumeToken })[Symbol.asyncIterator]().next();
      expect(await failureOf(resumed)).toMatchObject({ code: 'NotFound', reason: 'SESSION_NOT_FOUND' });
      const { instances } = await discovery.discover({ service });
      // What came after is left alone by the end of what was before.
      expect(instances.map(({ version }) => version)).toEqual(what === 'unregistered' ? [] : ['next']);
      await eventually(() =>
        expect(here.of('a')).toEqual(['REGISTERED', what === 'unregistered' ? 'UNREGISTERED' : 'UPDATED']),
      );
      controller.abort();
    },
  );

  it('ends its stream when its lease is revoked, as expired', async () => {
    const service = serviceOf();
    await using there = await watchReasons(elsewhere, service);
    await using stream = attachHere(service, 'a');
    const { instance } = await stream.find(() => true);
    await openClients(other.url).leases.revoke({ leaseId: instance?.leaseId ?? 0n });
    const failure = await eventually(() => failureOf(Promise.reject(stream.end?.error)));
    expect(failure).toMatchObject({ code: 'NotFound', reason: 'INSTANCE_NOT_FOUND' });
    await there.heard('EXPIRED a');
    expect(there.of('a')).toEqual(['REGISTERED', 'EXPIRED']);
  });

  it('leaves what another client has written in its place', async () => {
    const service = serviceOf();
    await using stream = attachHere(service, 'a');
    await stream.find(() => true);
    const key = `/services/${service}/a`;
    const { kv } = openClients(other.url);
    await kv.put({ key, value: '{"host":"10.0.0.1","port":80}' });
    await using here = await watchReasons(discovery, service);
    await stream[Symbol.asyncDispose]();
    await eventually(() => expect(gateway.app.stats().sessions).toBe(0));
    // Whatever the end of the stream wrote was told before this.
    await kv.put({ key: `/services/${service}/after`, value: '{"host":"10.0.0.1","port":80}' });
    await here.heard('REGISTERED after');
    expect(here.told).toEqual(['REGISTERED after']);
  });
});
