import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { failureOf, failuresOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, readApplication, readStored, storedConfiguration } from './stored-keys.ts';

const WRITERS = 10;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;
let config: Clients['config'];
let direct: Etcd;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  ({ config } = clients);
  direct = openEtcd({ endpoints: [gateway.etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

const itemName = (key = 'k') => ({ application: applicationName(), key });

describe('an item', () => {
  it('stands in etcd as it is, with its record and its version in the same transaction', async () => {
    const name = itemName('a/b%c');
    const { application } = name;
    const { revision } = await config.put({ ...name, value: 'välue', author: 'ann' });
    const { values, versions } = await readApplication(direct.store, application);
    expect(values).toEqual([{ key: `/config/${application}/a/b%c`, value: 'välue', modRevision: revision }]);
    expect(versions).toMatchObject([
      { modRevision: revision, value: expect.stringMatching(/^\{.*\}\nvälue$/) },
    ]);
    const { keys } = await readStored(direct.store, `/concord/config/%2Fconfig/item/${application}/`);
    expect(keys.map(({ key, modRevision }) => [key.split('/item/')[1], modRevision])).toEqual([
      [`${application}/record/default/a/b%c`, revision],
    ]);
  });

  it('stands in another profile apart, out of sight of those who read the values', async () => {
    const name = itemName();
    await config.put({ ...name, value: 'base' });
    await config.put({ ...name, profile: 'prod', value: 'over' });
    const { values } = await readApplication(direct.store, name.application);
    expect(values.map(({ value }) => value)).toEqual(['base']);
    expect((await config.get({ ...name, profile: 'prod' })).item).toMatchObject({
      value: 'over',
      version: 1n,
    });
    expect((await config.get({ ...name, profile: 'default' })).item).toMatchObject({ value: 'base' });
    expect(await failureOf(config.get({ ...name, profile: 'test' }))).toMatchObject({
      reason: 'CONFIG_ITEM_NOT_FOUND',
      metadata: { profile: 'test' },
    });
  });

  it('keeps its content type, and is text at first', async () => {
    const name = itemName();
    const typeAfter = async (put: object) => (await config.put({ ...name, ...put })).item?.contentType;
    expect(await typeAfter({ value: 'x' })).toBe(ContentType.TEXT);
    expect(await typeAfter({ value: '{"a":1}', contentType: ContentType.JSON })).toBe(ContentType.JSON);
    expect(await typeAfter({ value: '[]' })).toBe(ContentType.JSON);
    expect(await failureOf(config.put({ ...name, value: '[' }))).toMatchObject({
      reason: 'CONFIG_VALUE_INVALID',
    });
    expect(await typeAfter({ value: '[', contentType: ContentType.TEXT })).toBe(ContentType.TEXT);
    await config.delete(name);
    await config.put({ ...name, value: '1', contentType: ContentType.NUMBER });
    await config.delete(name);
    expect(await typeAfter({ value: 'x' })).toBe(ContentType.TEXT);
  });

  it.each<[string, ContentType, string, string, string]>([
    ['JSON', ContentType.JSON, '{"a": {"b": 1}}', '{\n  "a": 1,\n  "b": \n}', '4'],
    ['YAML', ContentType.YAML, 'a:\n  - 1\n', 'a: 1\nb: [1', '2'],
    ['properties', ContentType.PROPERTIES, 'a = 1\n# x\n', 'a=1\nb=\\u12', '2'],
    ['TOML', ContentType.TOML, '[a]\nb = 1\n', '[a]\nb = \n', '2'],
    ['a number', ContentType.NUMBER, '-1.5e3', '0x10', '1'],
    ['a boolean', ContentType.BOOLEAN, 'false', 'yes', '1'],
  ])('is stored as %s only where it is one', async (_, contentType, good, bad, line) => {
    const name = itemName();
    expect((await config.put({ ...name, value: good, contentType })).item).toMatchObject({
      value: good,
      contentType,
    });
    const before = await storedConfiguration(gateway.etcd);
    const failure = await failureOf(config.put({ ...name, value: bad, contentType }));
    expect(failure).toMatchObject({
      code: 'InvalidArgument',
      reason: 'CONFIG_VALUE_INVALID',
      metadata: { ...name, profile: 'default', line },
    });
    expect(failure.message).toContain(`"k" of "${name.application}"`);
    expect(await failureOf(config.put({ ...name, valueBytes: Buffer.of(0xff), contentType }))).toMatchObject({
      reason: 'CONFIG_VALUE_INVALID',
    });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    expect((await config.get(name)).item?.value).toBe(good);
  });

  it('may be bytes, nothing, or as large as the contract says', async () => {
    const name = itemName();
    const valueBytes = Buffer.of(0xff, 0, 0xfe);
    expect((await config.put({ ...name, valueBytes })).item?.value).toBe('');
    const { item } = await config.get(name);
    expect(Buffer.from(item?.valueBytes ?? [])).toEqual(valueBytes);
    expect((await config.put(name)).item).toMatchObject({ value: '', version: 2n, redacted: false });
    expect((await config.get(name)).item).toMatchObject({ value: '', version: 2n });
    const value = 'x'.repeat(524_288);
    await config.put({ ...name, value });
    expect((await config.get(name)).item?.value).toBe(value);
    const { versions } = await config.history(name);
    expect(versions.map((version) => version.value.length + version.valueBytes.length)).toEqual([
      524_288, 0, 3,
    ]);
  });

  it('may have names as long and as odd as the contract says', async () => {
    const names = {
      application: `${'ä'.repeat(124)}%2F😀`,
      profile: `${'ä'.repeat(62)}%25`,
      key: `//a/../😀${'ö'.repeat(500)}`,
    };
    const { item } = await config.put({ ...names, value: '1' });
    expect((await config.get(names)).item).toEqual(item);
    expect((await config.list({ application: names.application, profile: names.profile })).items).toEqual([
      item,
    ]);
    expect((await config.history(names)).versions).toHaveLength(1);
    expect((await config.rollback({ ...names, version: 1n })).item).toMatchObject({ ...names, version: 2n });
  });

  it('that is not there is deleted without a trace', async () => {
    const name = itemName();
    const before = await storedConfiguration(gateway.etcd);
    expect(await config.delete(name)).toMatchObject({ deleted: false, version: 0n });
    expect(await config.delete({ ...name, expectedRevision: 0n })).toMatchObject({ deleted: false });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    expect((await config.history(name)).versions).toEqual([]);
  });

  it('is written only while a lock is held, where a fence says so', async () => {
    const { locks } = clients;
    const lock = applicationName();
    const { fencingToken: token } = await locks.acquire({ name: lock, ttl: { seconds: 60n } });
    const name = itemName();
    const { application } = name;
    const fence = { holder: { case: 'lock', value: lock } as const, token };
    const { revision } = await config.put({ ...name, value: '1', fence });
    const stale = { ...fence, token: token + 1n };
    for (const failure of await failuresOf([
      config.put({ ...name, value: '2', fence: stale }),
      config.delete({ ...name, fence: stale }),
      config.rollback({ ...name, version: 1n, fence: stale }),
      config.publish({ application, deletes: ['k'], fence: stale }),
      config.setSchema({ application, keys: { case: 'key', value: 'k' }, schema: '{}', fence: stale }),
    ]))
      expect(failure).toMatchObject({ code: 'FailedPrecondition', reason: 'FENCE_LOST' });
    expect((await config.get(name)).item).toMatchObject({ revision });
  });
});

describe('an expected revision', () => {
  it('that is stale is refused with who was first, and when', async () => {
    const name = itemName();
    const missing = await failureOf(config.put({ ...name, expectedRevision: 5n }));
    expect(missing).toMatchObject({
      code: 'Aborted',
      metadata: { version: '0', actual_revision: '0', author: '' },
    });
    const first = await config.put({ ...name, value: '1', author: 'ann', expectedRevision: 0n });
    const second = await config.put({ ...name, value: '2', author: 'bob', expectedRevision: first.revision });
    const expected = { code: 'Aborted', reason: 'REVISION_MISMATCH' };
    const metadata = { ...name, profile: 'default', author: 'bob', version: '2' };
    const revisions = {
      expected_revision: String(first.revision),
      actual_revision: String(second.revision),
    };
    for (const failure of await failuresOf([
      config.put({ ...name, value: '3', expectedRevision: first.revision }),
      config.delete({ ...name, expectedRevision: first.revision }),
      config.rollback({ ...name, version: 1n, expectedRevision: first.revision }),
      config.publish({
        application: name.application,
        puts: [{ key: 'k', value: '3', expectedRevision: first.revision }],
      }),
    ])) {
      expect(failure).toMatchObject({ ...expected, metadata: { ...metadata, ...revisions } });
      expect(failure.message).toMatch(/by "bob" \(version 2\)/);
    }
    expect(await failureOf(config.put({ ...name, value: '3', expectedRevision: 0n }))).toMatchObject(
      expected,
    );
    await config.delete({ ...name, author: 'eve', expectedRevision: second.revision });
    expect(await failureOf(config.put({ ...name, expectedRevision: second.revision }))).toMatchObject({
      ...expected,
      metadata: { author: 'eve', version: '3', actual_revision: '0' },
    });
    expect((await config.put({ ...name, expectedRevision: 0n })).item).toMatchObject({ version: 4n });
  });

  it('lets one of many through that have read the same', async () => {
    const name = itemName();
    for (let round = 0; round < 10; round++) {
      const { revision = 0n } = (await config.get(name).catch(() => ({ item: undefined }))).item ?? {};
      const outcomes = await Promise.all(
        Array.from({ length: WRITERS }, (_, writer) =>
          config.put({ ...name, value: `${round}.${writer}`, expectedRevision: revision }).then(
            ({ item }) => item?.value,
            (error) => failureOf(Promise.reject(error)),
          ),
        ),
      );
      const written = outcomes.filter((outcome) => typeof outcome === 'string');
      expect(written).toHaveLength(1);
      for (const outcome of outcomes)
        if (typeof outcome !== 'string') expect(outcome).toMatchObject({ reason: 'REVISION_MISMATCH' });
      expect((await config.get(name)).item).toMatchObject({ value: written[0], version: BigInt(round + 1) });
    }
    expect((await config.history(name)).versions).toHaveLength(10);
  });
});
