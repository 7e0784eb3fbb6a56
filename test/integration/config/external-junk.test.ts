import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import { singleKey } from '../../../src/domain/key-range.ts';
import { eventually } from '../../support/eventually.ts';
import { applicationName, type ConfigReplicas, startConfigReplicas } from './config-replicas.ts';
import { writeOutside } from './write-outside.ts';

const keys = createConfigKeys('/config');

let replicas: ConfigReplicas;

beforeAll(async () => {
  replicas = await startConfigReplicas(2);
});

afterAll(async () => {
  await replicas?.[Symbol.asyncDispose]();
});

/** Writes one key as another etcd client would. */
async function write(key: Uint8Array, value: Uint8Array | string): Promise<void> {
  const put = { kind: 'put', key, value: Buffer.from(value) } as const;
  const txn = { kind: 'txn', compares: [], success: [put], failure: [] } as const;
  await replicas.direct.store.txn(txn, { signal: AbortSignal.timeout(15_000) });
}

async function remove(key: Uint8Array): Promise<void> {
  const success = [{ kind: 'delete', range: singleKey(key) } as const];
  const txn = { kind: 'txn', compares: [], success, failure: [] } as const;
  await replicas.direct.store.txn(txn, { signal: AbortSignal.timeout(15_000) });
}

/** Uses everything that looks at a whole application, and at one item of it, at both gateways. */
async function useAll(application: string): Promise<void> {
  for (const i of [0, 1]) {
    const config = replicas.client(i);
    const written = { application, key: 'own', value: `${i}`, author: 'editor' };
    const { item, revision } = await config.put(written);
    expect((await config.list({ application })).items.map(({ key }) => key)).toEqual(['own']);
    const { items } = await config.resolve({ application, profiles: ['p'] });
    expect(items).toMatchObject([{ item: { key: 'own', value: `${i}`, version: item?.version } }]);
    const publish = { application, puts: [{ key: 'own', value: `p${i}` }], expectedRevision: revision };
    expect((await config.publish(publish)).changes).toHaveLength(1);
    expect(await config.export({ application, format: Format.JSON })).toMatchObject({ redactedKeys: [] });
    const imported = { application, format: Format.JSON, text: '{"own":"i"}', replace: true };
    expect(await config.import(imported)).toMatchObject({ updatedCount: 1, deletedCount: 0 });
    const { applications } = await config.listApplications({ prefix: application });
    expect(applications).toMatchObject([{ name: application, itemCount: 1, profiles: ['default'] }]);
  }
}

describe('a key under /config that no item can have', () => {
  it.each<[string, (application: string) => string | Uint8Array]>([
    ['with a control character', (application) => `${application}/a\nb`],
    ['with a zero', (application) => `${application}/\0`],
    [
      'that is not UTF-8',
      (application) => Buffer.concat([Buffer.from(`${application}/`), Buffer.of(0xff, 0x2f)]),
    ],
    [
      'whose application is not UTF-8',
      (application) => Buffer.concat([Buffer.from(application), Buffer.of(0xc3)]),
    ],
    ['that is empty', (application) => `${application}/`],
    ['that is longer than 1024 bytes', (application) => `${application}/${'k'.repeat(1_025)}`],
    ['that is an application alone', (application) => application],
    ['without an application', (application) => `/${application}`],
    ['whose application is too long', (application) => `${application.padEnd(300, 'a')}/k`],
  ])('%s, harms nothing', async (_, keyOf) => {
    const application = applicationName();
    const key = Buffer.concat([Buffer.from('/config/'), Buffer.from(keyOf(application))]);
    await write(key, 'x');
    await useAll(application);
    await write(key, 'y');
    await useAll(application);
    await remove(key);
    await useAll(application);
  });

  it('is no application', async () => {
    const application = applicationName();
    await write(Buffer.from(`/config/${application}/\n`), 'x');
    await write(Buffer.from(`/config/${application}-b`), 'x');
    await writeOutside(replicas.direct, `${application}-c`, { k: '1' });
    const { applications } = await replicas.client(0).listApplications({ prefix: application });
    expect(applications.map(({ name }) => name)).toEqual([`${application}-c`]);
  });
});

describe('what others write over the record of an item', () => {
  const JUNK: readonly (readonly [string, string])[] = [
    ['no JSON', 'junk'],
    ['nothing', ''],
    ['JSON that is no record', '[1]'],
    ['an older version', '{"version":1}'],
    ['a later version', '{"version":70,"contentType":"json"}'],
    ['a deletion', '{"version":2,"deleted":true}'],
    ['the largest version there is', `{"version":${Number.MAX_SAFE_INTEGER}}`],
  ];

  it.each(JUNK)('%s, harms neither the item nor its history', async (_, junk) => {
    const application = applicationName();
    const name = { application, profile: 'default', key: 'own' };
    const config = replicas.client(0);
    for (const value of ['1', '2']) await config.put({ ...name, value, author: 'editor' });
    await write(keys.record(name), junk);
    const { item } = await replicas.client(1).put({ ...name, value: '3', author: 'editor' });
    expect(item?.version).toBe(3n);
    await write(keys.record(name), junk);
    await eventually(async () =>
      expect((await config.get(name)).item).toMatchObject({ value: '3', version: 3n, author: 'editor' }),
    );
    await useAll(application);
    const { versions } = await config.history(name);
    expect(versions.map(({ version }) => Number(version))).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(versions.filter(({ external }) => external)).toEqual([]);
  });

  it.each(JUNK)('%s, does not hide what they write next', async (_, junk) => {
    const application = applicationName();
    const name = { application, profile: 'default', key: 'own' };
    const config = replicas.client(0);
    for (const value of ['1', '2']) await config.put({ ...name, value, author: 'editor' });
    await write(keys.record(name), junk);
    await writeOutside(replicas.direct, application, { own: '3' });
    await config.put({ ...name, value: '4', author: 'editor' });
    const { versions } = await config.history(name);
    expect(versions).toMatchObject([
      { version: 4n, value: '4', external: false },
      { version: 3n, value: '3', external: true },
      { version: 2n, value: '2', external: false },
      { version: 1n, value: '1', external: false },
    ]);
  });

  it.each(JUNK)('%s, is no item where there is no value', async (_, junk) => {
    const application = applicationName();
    await write(keys.record({ application, profile: 'default', key: 'own' }), junk);
    const { applications } = await replicas.client(0).listApplications({ prefix: application });
    expect(applications).toEqual([]);
    await useAll(application);
  });

  it('is mended where they write nothing else', async () => {
    const application = applicationName();
    const name = { application, profile: 'prod', key: 'own' };
    const config = replicas.client(0);
    const written = await config.put({ ...name, value: '1', author: 'editor', comment: 'why' });
    await write(keys.record(name), 'junk');
    await eventually(async () => expect((await config.get(name)).item).toEqual(written.item));
  });
});
