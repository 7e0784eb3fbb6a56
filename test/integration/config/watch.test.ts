import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { WatchResponse_Kind as Kind } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { kindName, openConfigWatch } from './config-watch.ts';
import { writeOutside } from './write-outside.ts';

const STREAMING = PROTOCOLS.filter(({ name }) => !name.includes('GET'));

let etcd: TestEtcd;
let gateway: TestGateway;
let other: TestGateway;
let direct: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  other = await startGateway([etcd.endpoint]);
  direct = openEtcd({ endpoints: [etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe.each(STREAMING)('ConfigService.Watch over $name', ({ open }) => {
  it('sends the whole set, then what changes, with the state before', async () => {
    const { config } = openClients(gateway.url, open(gateway.url));
    const application = randomUUID();
    await config.put({ application, key: 'b', value: '1' });
    await config.put({ application, key: 'a', value: '1', contentType: ContentType.NUMBER, author: 'ann' });
    const { revision } = await config.put({ application, key: 'b', value: '2', comment: 'why' });
    await using watch = openConfigWatch(config, { application });
    await watch.opened;
    expect(watch.messages.map(kindName)).toEqual(['SNAPSHOT', 'SYNCED', 'CHECKPOINT']);
    expect(watch.items()).toEqual(['default/a@1=1', 'default/b@2=2']);
    expect(watch.messages[0]?.items).toMatchObject([
      { application, contentType: ContentType.NUMBER, author: 'ann' },
      { comment: 'why', revision },
    ]);

    await config.put({ application, key: 'c', value: '1' });
    await config.put({ application, key: 'a', value: '2' });
    await config.delete({ application, key: 'b', author: 'bob', comment: 'unused' });
    await config.put({ application, key: 'b', value: '3' });
    await config.rollback({ application, key: 'a', version: 1n });
    await eventually(() => expect(watch.changes()).toHaveLength(5));
    expect(watch.changes()).toEqual([
      'CREATED default/c@1=1',
      'UPDATED default/a@2=2 < default/a@1=1',
      'DELETED default/b@3= < default/b@2=2',
      'CREATED default/b@4=3',
      'UPDATED default/a@3=1 < default/a@2=2',
    ]);
    const events = watch.messages.filter(({ kind }) => kind === Kind.EVENTS);
    expect(events[2]?.changes[0]?.item).toMatchObject({ author: 'bob', comment: 'unused' });
    for (const { revision, resumeToken, subscriberId, changes } of events) {
      expect(changes[0]?.item?.revision).toBe(revision);
      expect(resumeToken).not.toBe('');
      expect(subscriberId).toBe(watch.subscriberId());
    }
  });

  it('tells all that one Publish changes in one message, in the order of the request', async () => {
    const { config } = openClients(gateway.url, open(gateway.url));
    const application = randomUUID();
    for (const key of ['a', 'b', 'same']) await config.put({ application, key, value: '1' });
    await using watch = openConfigWatch(config, { application });
    await watch.opened;
    const puts = ['a', 'c', 'd'].map((key) => ({ key, value: '2' }));
    const { revision } = await config.publish({
      application,
      puts: [...puts, { key: 'same', value: '1' }],
      deletes: ['b', 'never'],
    });
    const told = await watch.find((message) => message.kind === Kind.EVENTS);
    expect(told.revision).toBe(revision);
    expect(watch.changes()).toEqual([
      'UPDATED default/a@2=2 < default/a@1=1',
      'CREATED default/c@1=2',
      'CREATED default/d@1=2',
      'DELETED default/b@2= < default/b@1=1',
    ]);
  });

  it('goes on at another gateway where its token says: nothing is lost, nothing comes twice', async () => {
    const [here, there] = [gateway, other].map(({ url }) => openClients(url, open(url)).config);
    if (here === undefined || there === undefined) return expect.fail();
    const application = randomUUID();
    const first = openConfigWatch(here, { application });
    await first.opened;
    await here.put({ application, key: 'a', value: '1' });
    await first.find(({ changes }) => changes.length > 0);
    const resumeToken = first.token();
    await first[Symbol.asyncDispose]();
    await here.put({ application, key: 'b', value: '1' });
    await here.put({ application, key: 'a', value: '2' });
    await here.delete({ application, key: 'b' });
    await using second = openConfigWatch(there, { application, resumeToken });
    await eventually(() => expect(second.changes()).toHaveLength(3));
    await there.put({ application, key: 'a', value: '3' });
    await eventually(() => expect(second.changes()).toHaveLength(4));
    expect(second.messages.map(kindName)).not.toContain('SNAPSHOT');
    expect(second.changes()).toEqual([
      'CREATED default/b@1=1',
      'UPDATED default/a@2=2 < default/a@1=1',
      'DELETED default/b@2= < default/b@1=1',
      'UPDATED default/a@3=3 < default/a@2=2',
    ]);
  });
});

describe('ConfigService.Watch', () => {
  const config = () => openClients(gateway.url).config;

  it('tells of every layer that is named, and of no other', async () => {
    const application = randomUUID();
    for (const profile of ['default', 'prod', 'test'])
      await config().put({ application, profile, key: 'k', value: profile });
    await using watch = openConfigWatch(config(), { application, profiles: ['prod'] });
    await watch.opened;
    expect(watch.items()).toEqual(['default/k@1=default', 'prod/k@1=prod']);
    await config().put({ application, profile: 'test', key: 'k', value: '2' });
    await config().put({ application, profile: 'default', key: 'k', value: '2' });
    await config().delete({ application, profile: 'prod', key: 'k' });
    await eventually(() => expect(watch.changes()).toHaveLength(2));
    expect(watch.changes()).toEqual([
      'UPDATED default/k@2=2 < default/k@1=default',
      'DELETED prod/k@2= < prod/k@1=prod',
    ]);
  });

  it('says at once that there is nothing, and at the interval that nothing changes', async () => {
    const application = randomUUID();
    await using watch = openConfigWatch(config(), { application });
    await watch.opened;
    expect(watch.messages.map(kindName)).toEqual(['SYNCED', 'CHECKPOINT']);
    const { revision } = await config().put({ application: randomUUID(), key: 'k' });
    await watch.find((message) => message.kind === Kind.CHECKPOINT && message.revision >= revision);
    expect(watch.changes()).toEqual([]);
  });

  it('tells what other etcd clients do, as changes of an unknown author, once', async () => {
    const application = randomUUID();
    await writeOutside(direct, application, { before: '1' });
    await using watch = openConfigWatch(config(), { application });
    await watch.opened;
    expect(watch.items()).toEqual(['default/before@1=1']);
    await config().put({ application, key: 'a', value: '1', author: 'ann' });
    await writeOutside(direct, application, { a: '2' });
    await eventually(() => expect(watch.changes()).toHaveLength(2));
    await writeOutside(direct, application, { b: '1', before: '2' });
    await eventually(() => expect(watch.changes()).toHaveLength(4));
    await writeOutside(direct, application, { a: undefined });
    await eventually(() => expect(watch.changes()).toHaveLength(5));
    expect(watch.changes().slice(0, 2)).toEqual([
      'CREATED default/a@1=1',
      'UPDATED default/a@2=2 < default/a@1=1',
    ]);
    expect(watch.changes().slice(2, 4).toSorted()).toEqual([
      'CREATED default/b@1=1',
      'UPDATED default/before@2=2 < default/before@1=1',
    ]);
    expect(watch.changes().slice(4)).toEqual(['DELETED default/a@3= < default/a@2=2']);
    const items = watch.messages.flatMap(({ changes }) => changes.map(({ item }) => item?.author));
    expect(items).toEqual(['ann', '', '', '', '']);
  });

  it('begins with all that others wrote while there was no gateway, and tells none of it again', async () => {
    const own = await startEtcd();
    try {
      await using outside = openEtcd({ endpoints: [own.endpoint] });
      const application = randomUUID();
      const keys = Array.from({ length: 100 }, (_, i) => `k${String(i).padStart(3, '0')}`);
      await writeOutside(outside, application, Object.fromEntries(keys.map((key) => [key, '1'])));
      await using late = await startGateway([own.endpoint]);
      const client = openClients(late.url).config;
      await using watch = openConfigWatch(client, { application });
      await watch.opened;
      expect(watch.items()).toEqual(keys.map((key) => `default/${key}@1=1`));
      await client.put({ application, key: 'k000', value: '2' });
      await eventually(() =>
        expect(watch.changes()).toEqual(['UPDATED default/k000@2=2 < default/k000@1=1']),
      );
    } finally {
      await own.stop();
    }
  });

  it('refuses a token of another application, other layers or another way to see them, and one that is damaged', async () => {
    const application = randomUUID();
    const request = { application, profiles: ['prod'] };
    const watch = openConfigWatch(config(), request);
    await watch.opened;
    const resumeToken = watch.token();
    await watch[Symbol.asyncDispose]();
    for (const refused of [
      { ...request, application: randomUUID() },
      { application },
      { ...request, profiles: ['test'] },
      { ...request, profiles: ['prod', 'test'] },
      { ...request, effective: true },
      { ...request, resumeToken: `${resumeToken.slice(0, 4)}AAAA${resumeToken.slice(8)}` },
      { ...request, resumeToken: 'nonsense' },
    ]) {
      await using stream = openConfigWatch(config(), { resumeToken, ...refused });
      expect(await failureOf(stream.opened)).toMatchObject({
        code: 'InvalidArgument',
        reason: 'RESUME_TOKEN_INVALID',
      });
    }
    await using accepted = openConfigWatch(config(), {
      ...request,
      profiles: ['default', 'prod'],
      resumeToken,
    });
    await accepted.opened;
    expect(accepted.messages.map(kindName)).toEqual(['CHECKPOINT']);
  });
});
