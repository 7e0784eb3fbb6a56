import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { failureOf, failuresOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, readApplication, storedConfiguration, writeStored } from './stored-keys.ts';

const SECRET_KEY = Buffer.alloc(32, 9).toString('base64');

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let config: Clients['config'];
let direct: Etcd;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({ CONCORD_SECRET_KEYS: `k:${SECRET_KEY}` });
  ({ config } = openClients(gateway.url));
  direct = openEtcd({ endpoints: [gateway.etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

const itemName = (key = 'k') => ({ application: applicationName(), key });

async function put(name: ReturnType<typeof itemName>, ...values: readonly string[]): Promise<void> {
  for (const value of values) await config.put({ ...name, value, author: `author of ${value}` });
}

describe('the history of an item', () => {
  it('has each change, the newest first, deletions too, whatever etcd has compacted', async () => {
    const name = itemName();
    await put(name, '1', '2');
    await config.delete({ ...name, author: 'eve', comment: 'off' });
    await put(name, '4');
    const { revision, versions } = await config.history(name);
    await compact(gateway.etcd.endpoint, revision);
    expect((await config.history(name)).versions).toEqual(versions);
    expect(versions).toMatchObject([
      { version: 4n, value: '4', deleted: false, author: 'author of 4' },
      { version: 3n, value: '', deleted: true, author: 'eve', comment: 'off' },
      { version: 2n, value: '2', deleted: false },
      { version: 1n, value: '1', deleted: false },
    ]);
    const revisions = versions.map((version) => version.revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => Number(b - a)));
    for (const version of versions)
      expect((await config.getVersion({ ...name, version: version.version })).version).toEqual(version);
  });

  it('is none of an item that never was, or of another profile or key', async () => {
    const name = itemName('a');
    await put(name, '1');
    for (const other of [
      { key: 'a/b' },
      { key: '' + 'A' },
      { profile: 'prod' },
      { application: applicationName() },
    ])
      expect((await config.history({ ...name, ...other })).versions).toEqual([]);
  });

  it('is shown page by page, all pages as they were, while others write', async () => {
    const name = itemName();
    const values = Array.from({ length: 7 }, (_, i) => String(i + 1));
    await put(name, ...values);
    const shown: string[] = [];
    let pageToken = '';
    do {
      const page = await config.history({ ...name, pageSize: 3, pageToken });
      shown.push(...page.versions.map(({ value }) => value));
      ({ nextPageToken: pageToken } = page);
      await put(name, 'late');
    } while (pageToken !== '');
    expect(shown).toEqual(values.toReversed());
  });

  it('has no page for another item, and none that etcd has forgotten', async () => {
    const name = itemName();
    await put(name, '1', '2', '3');
    const { nextPageToken: pageToken, revision } = await config.history({ ...name, pageSize: 1 });
    for (const other of [
      { key: 'x' },
      { profile: 'prod' },
      { application: 'x' },
      { pageToken: `${pageToken}A` },
    ])
      expect(await failureOf(config.history({ ...name, pageToken, ...other }))).toMatchObject({
        code: 'InvalidArgument',
        reason: 'PAGE_TOKEN_INVALID',
      });
    await put(name, '4');
    await compact(gateway.etcd.endpoint, revision + 1n);
    expect(await failureOf(config.history({ ...name, pageToken }))).toMatchObject({
      code: 'OutOfRange',
      reason: 'REVISION_COMPACTED',
    });
  });

  it('lacks versions that never were', async () => {
    const name = itemName();
    await put(name, '1');
    for (const version of [2n, 2n ** 53n, 2n ** 63n - 1n])
      for (const failure of await failuresOf([
        config.getVersion({ ...name, version }),
        config.rollback({ ...name, version }),
      ]))
        expect(failure).toMatchObject({
          code: 'NotFound',
          reason: 'CONFIG_VERSION_NOT_FOUND',
          metadata: { ...name, profile: 'default' },
        });
    const missing = await failureOf(config.getVersion({ ...itemName(), version: 7n }));
    expect(missing).toMatchObject({ metadata: { version: '7' } });
  });

  it('passes over what others wrote into it', async () => {
    const name = itemName();
    await put(name, '1', '2');
    const { versions } = await readApplication(direct.store, name.application);
    const [first] = versions;
    const path = first?.key.slice(0, -31) ?? '';
    await writeStored(direct.store, { [first?.key ?? '']: 'junk', [`${path}junk`]: 'x', [`${path}9`]: '{}' });
    expect((await config.history(name)).versions).toMatchObject([{ version: 2n }]);
    expect(await failureOf(config.getVersion({ ...name, version: 1n }))).toMatchObject({
      reason: 'CONFIG_VERSION_NOT_FOUND',
    });
    await put(name, '3');
    expect((await config.history(name)).versions).toMatchObject([{ version: 3n }, { version: 2n }]);
  });
});

describe('Rollback', () => {
  it('writes a new version, to version 1 too, and where nothing would change', async () => {
    const name = itemName();
    await config.put({ ...name, value: '1', contentType: ContentType.NUMBER });
    await config.put({ ...name, value: 'two', contentType: ContentType.TEXT });
    const { item } = await config.rollback({ ...name, version: 1n, author: 'ann', comment: 'back' });
    expect(item).toMatchObject({ value: '1', contentType: ContentType.NUMBER, version: 3n, author: 'ann' });
    expect((await config.rollback({ ...name, version: 3n })).item).toMatchObject({ value: '1', version: 4n });
    const { versions } = await config.history(name);
    expect(versions.map(({ version, rollbackOf, comment }) => [version, rollbackOf, comment])).toEqual([
      [4n, 3n, ''],
      [3n, 1n, 'back'],
      [2n, 0n, ''],
      [1n, 0n, ''],
    ]);
  });

  it('brings a deleted item back, but no deletion', async () => {
    const name = itemName();
    await put(name, '1');
    await config.delete(name);
    expect(await failureOf(config.rollback({ ...name, version: 2n }))).toMatchObject({
      code: 'InvalidArgument',
      reason: 'FIELD_INVALID',
      metadata: { field: 'version' },
    });
    const back = await config.rollback({ ...name, version: 1n, expectedRevision: 0n });
    expect(back.item).toMatchObject({ value: '1', version: 3n });
    expect((await config.get(name)).item).toEqual(back.item);
  });

  it('brings a secret back as one, redacted', async () => {
    const name = itemName();
    await config.put({ ...name, value: 'hush', secret: true });
    await config.put({ ...name, value: 'open', secret: false });
    const { item } = await config.rollback({ ...name, version: 1n });
    expect(item).toMatchObject({ value: '', secret: true, redacted: true, version: 3n });
    const { values, versions } = await readApplication(direct.store, name.application);
    for (const { value } of [...values, ...versions]) expect(value).not.toContain('hush');
    expect((await config.history(name)).versions.map(({ value }) => value)).toEqual(['', 'open', '']);
  });

  it('keeps to the schema that holds now', async () => {
    const name = itemName();
    await config.put({ ...name, value: '1', contentType: ContentType.NUMBER });
    await config.put({ ...name, value: '20' });
    const schema = '{"minimum":10}';
    await config.setSchema({ application: name.application, keys: { case: 'key', value: 'k' }, schema });
    const before = await storedConfiguration(gateway.etcd);
    expect(await failureOf(config.rollback({ ...name, version: 1n }))).toMatchObject({
      reason: 'CONFIG_VALUE_INVALID',
      metadata: { key: 'k' },
    });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    await config.rollback({ ...name, version: 2n });
  });
});
