import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { applicationName } from './config-replicas.ts';
import { openConfigWatch } from './config-watch.ts';
import { readRawConfig } from './raw-config.ts';
import { NEW_KEY, OLD_KEY, REVEALED, TOKEN } from './secret-traces.ts';
import { writeOutside } from './write-outside.ts';

type Config = Clients['config'];

let etcd: TestEtcd;
let direct: Etcd;
let gateways: readonly TestGateway[];
/** By the keys that each gateway has. */
let withOld: Config;
let withBoth: Config;
let withNew: Config;
let withNone: Config;

beforeAll(async () => {
  etcd = await startEtcd();
  direct = openEtcd({ endpoints: [etcd.endpoint] });
  const start = (keys: readonly string[]) =>
    startGateway([etcd.endpoint], {
      CONCORD_SECRET_TOKENS: TOKEN,
      ...(keys.length > 0 && { CONCORD_SECRET_KEYS: keys.join() }),
    });
  gateways = await Promise.all([[OLD_KEY], [NEW_KEY, OLD_KEY], [NEW_KEY], []].map(start));
  const [old = expect.fail(), both = expect.fail(), fresh = expect.fail(), none = expect.fail()] =
    gateways.map(({ url }) => openClients(url).config);
  [withOld, withBoth, withNew, withNone] = [old, both, fresh, none];
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** Writes, with the old key, two versions of a secret in each of two profiles, one that is deleted, and one that is none. */
async function writeSecrets(application: string): Promise<void> {
  for (const profile of ['default', 'prod'])
    for (const value of ['one', 'two'])
      await withOld.put({ application, profile, key: 'a/b', value, secret: true, author: 'editor' });
  await withOld.put({ application, key: 'gone', value: 'one', secret: true });
  await withOld.delete({ application, key: 'gone' });
  await withOld.put({ application, key: 'open', value: 'plain' });
}

/** Everything that a gateway shows to those who may see secrets. */
async function shownBy(config: Config, application: string) {
  const asked = { application, revealSecrets: true };
  const [resolved, ...histories] = await Promise.all([
    config.resolve({ ...asked, profiles: ['prod'] }, REVEALED),
    ...['default', 'prod'].map((profile) => config.history({ ...asked, profile, key: 'a/b' }, REVEALED)),
    config.history({ ...asked, key: 'gone' }, REVEALED),
  ]);
  return { items: resolved.items, versions: histories.map(({ versions }) => versions) };
}

describe('RotateSecrets', () => {
  it('encrypts values and history with the new key, so that the old one can go; nothing gets a new version', async () => {
    const application = applicationName();
    await writeSecrets(application);
    const before = await shownBy(withBoth, application);
    expect(before.items.map(({ item }) => item?.value)).toEqual(['two', 'plain']);
    // Two versions and the value in each profile, and the one version of what was deleted.
    const rotated = { keyId: 'new', rotatedCount: 7, unreadableCount: 0 };
    const { revision, ...told } = await withBoth.rotateSecrets({ application });
    expect(told).toMatchObject(rotated);
    // All that it wrote is at or below the revision that it tells.
    const fresh = { application, minRevision: revision };
    expect((await withBoth.list(fresh)).revision).toBe(revision);
    expect(await shownBy(withBoth, application)).toEqual(before);
    await eventually(async () => expect(await shownBy(withNew, application)).toEqual(before));
    const { values, history } = await readRawConfig(direct, application);
    const stored = [...values.values(), ...history.map(({ value }) => value)];
    expect(stored.filter((value) => value.includes('secret:v1:new:'))).toHaveLength(4);
    expect(stored.filter((value) => value.includes('secret:v1:old:'))).toEqual([]);
    expect(await withBoth.rotateSecrets({ application })).toMatchObject({
      rotatedCount: 0,
      unreadableCount: 0,
    });
  });

  it('tells watchers nothing, and those who resume neither', async () => {
    const application = applicationName();
    await writeSecrets(application);
    await using watch = openConfigWatch(
      withBoth,
      { application, profiles: ['prod'], revealSecrets: true },
      REVEALED.headers,
    );
    await watch.opened;
    const token = watch.token();
    await withBoth.rotateSecrets({ application });
    const { revision } = await withBoth.put({ application, key: 'open', value: 'last' });
    const request = { application, profiles: ['prod'], resumeToken: token, revealSecrets: true };
    await using resumed = openConfigWatch(withNew, request, REVEALED.headers);
    for (const each of [watch, resumed]) {
      await each.find((message) => message.revision >= revision);
      expect(each.messages.flatMap(({ changes }) => changes)).toMatchObject([
        { item: { key: 'open', value: 'last', revision }, previous: { value: 'plain' } },
      ]);
    }
  });

  it('leaves revisions as they are: who has read an item, or all, before may write', async () => {
    const application = applicationName();
    await writeSecrets(application);
    const { revision } = await withBoth.list({ application });
    const { item } = await withBoth.get({ application, key: 'a/b' });
    await withBoth.rotateSecrets({ application });
    const range = { fromRevision: revision, toRevision: 0n };
    const compared = { application, what: { case: 'revisions', value: range } } as const;
    expect((await withBoth.diff(compared)).changes).toEqual([]);
    const publish = { application, puts: [{ key: 'a/b', value: 'three' }], expectedRevision: revision };
    expect((await withBoth.publish({ ...publish, dryRun: true })).changes).toHaveLength(1);
    const expectedRevision = item?.revision ?? 0n;
    const written = await withNew.put({ application, key: 'a/b', value: 'three', expectedRevision });
    expect(written.item).toMatchObject({ version: 3n, secret: true });
    const rolledBack = await withNew.rollback({ application, key: 'a/b', version: 1n });
    expect(rolledBack.item?.version).toBe(4n);
    const asked = { application, key: 'a/b', revealSecrets: true };
    expect((await withNew.get(asked, REVEALED)).item?.value).toBe('one');
  });

  it('counts what no key opens, and leaves it as it is', async () => {
    const application = applicationName();
    await writeSecrets(application);
    const counted = { rotatedCount: 0, unreadableCount: 7 };
    expect(await withNew.rotateSecrets({ application })).toMatchObject(counted);
    const { item } = await withNew.get({ application, key: 'a/b', revealSecrets: true }, REVEALED);
    expect(item).toMatchObject({ value: '', redacted: true, secret: true, version: 2n });
    const asked = { application, key: 'a/b', revealSecrets: true };
    expect((await withOld.get(asked, REVEALED)).item?.value).toBe('two');
  });

  it('loses nothing beside writers, and another rotation', async () => {
    const application = applicationName();
    await writeSecrets(application);
    const writes = 20;
    const writing = ['default', 'prod'].map(async (profile) => {
      for (let i = 0; i < writes; i++)
        await withBoth.put({ application, profile, key: 'a/b', value: `w${i}` });
    });
    const rotating = [withBoth, withBoth, withBoth].map((config) => config.rotateSecrets({ application }));
    await Promise.all([...writing, ...rotating]);
    await withBoth.rotateSecrets({ application });
    const { items, versions } = await shownBy(withNew, application);
    expect(items.map(({ item }) => item?.value)).toEqual([`w${writes - 1}`, 'plain']);
    for (const history of versions.slice(0, 2)) {
      const expected = ['one', 'two', ...Array.from({ length: writes }, (_, i) => `w${i}`)];
      expect(history.toReversed().map(({ version, value }) => `${version}:${value}`)).toEqual(
        expected.map((value, i) => `${i + 1}:${value}`),
      );
    }
  });

  it('of all applications does so with each', async () => {
    const applications = [applicationName(), applicationName()];
    for (const application of applications) await writeSecrets(application);
    await withBoth.rotateSecrets({});
    for (const application of applications)
      expect((await shownBy(withNew, application)).items.map(({ item }) => item?.value)).toEqual([
        'two',
        'plain',
      ]);
  });

  it('without a key is refused', async () => {
    const failure = await failureOf(withNone.rotateSecrets({}));
    expect(failure).toMatchObject({ code: 'FailedPrecondition', reason: 'SECRET_KEY_UNKNOWN' });
  });
});

describe('a gateway that lacks the key', () => {
  it.each([
    ['all', () => withNone, 'SECRET_KEY_UNKNOWN'],
    ['the old', () => withNew, undefined],
  ])(
    'shows secrets redacted, and writes none that it cannot, without %s keys',
    async (_, gateway, refused) => {
      const application = applicationName();
      const config = gateway();
      await writeSecrets(application);
      const { items, versions } = await shownBy(config, application);
      expect(items).toMatchObject([
        { item: { value: '', redacted: true, version: 2n }, hidden: [{ value: '', redacted: true }] },
        { item: { value: 'plain', redacted: false } },
      ]);
      for (const version of versions.slice(0, 2).flat())
        expect(version).toMatchObject({ value: '', redacted: true });
      const exported = await config.export(
        { application, format: Format.JSON, revealSecrets: true },
        REVEALED,
      );
      expect(exported).toMatchObject({ redactedKeys: ['a/b'] });

      const rollback = config.rollback({ application, key: 'a/b', version: 1n });
      expect((await failureOf(rollback)).reason).toBe('SECRET_KEY_UNKNOWN');
      const writes = [
        () => config.put({ application, key: 'a/b', value: 'three' }),
        () => config.put({ application, key: 'new', value: 'one', secret: true }),
        () =>
          config.publish({
            application,
            puts: [
              { key: 'open', value: 'x' },
              { key: 'a/b', value: 'four' },
            ],
          }),
      ];
      for (const write of writes) {
        if (refused === undefined) await write();
        else expect(await failureOf(write())).toMatchObject({ code: 'FailedPrecondition', reason: refused });
      }
      const { item } = await withBoth.get({ application, key: 'a/b', revealSecrets: true }, REVEALED);
      expect(item?.value).toBe(refused === undefined ? 'four' : 'two');
      expect((await config.put({ application, key: 'open', value: 'y' })).item?.value).toBe('y');
      expect(await config.delete({ application, key: 'a/b' })).toMatchObject({ deleted: true });
    },
  );

  it('leaves it to others to record what is written over a secret', async () => {
    const application = applicationName();
    await writeSecrets(application);
    await writeOutside(direct, application, { 'a/b': 'three' });
    const item = { application, key: 'a/b' };
    const { item: read } = await withNone.get(item);
    expect(read).toMatchObject({ value: '', redacted: true, secret: true, version: 3n });
    const asked = { ...item, revealSecrets: true };
    const versions = await eventually(async () => {
      const history = await withBoth.history(asked, REVEALED);
      expect(history.versions).toHaveLength(3);
      return history.versions;
    });
    expect(versions[0]).toMatchObject({ version: 3n, external: true, secret: true, author: '' });
    const { history } = await readRawConfig(direct, application);
    expect(history.find(({ key, version }) => key === 'a/b' && version === 3)?.value).toMatch(
      /^concord:secret:v1:/,
    );
  });
});
