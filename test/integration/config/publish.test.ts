import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigChange_Type, ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { failureOf, failuresWith } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import {
  applicationName,
  readApplication,
  readStored,
  storedConfiguration,
  writeStored,
} from './stored-keys.ts';

const TIMEOUT_MS = 120_000;
const MAX_REQUEST_BYTES = 1_572_864;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let config: Clients['config'];
let direct: Etcd;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  ({ config } = openClients(gateway.url));
  direct = openEtcd({ endpoints: [gateway.etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

const numbered = (count: number, value = 'x') =>
  Array.from({ length: count }, (_, i) => ({ key: `k${String(i).padStart(4, '0')}`, value }));
const keysOf = (items: readonly { readonly key: string }[]) => items.map(({ key }) => key);

describe('Publish', () => {
  it('writes all at one revision, told in the order of the request', async () => {
    const application = applicationName();
    await config.put({ application, key: 'old', value: '1' });
    const puts = [
      { key: 'b', value: '2' },
      { key: 'a', value: '1' },
    ];
    const { revision, changes } = await config.publish({
      application,
      puts,
      deletes: ['old'],
      comment: 'why',
    });
    expect(changes.map(({ type, item }) => [type, item?.key, item?.version, item?.revision])).toEqual([
      [ConfigChange_Type.CREATED, 'b', 1n, revision],
      [ConfigChange_Type.CREATED, 'a', 1n, revision],
      [ConfigChange_Type.DELETED, 'old', 2n, revision],
    ]);
    expect(changes[2]?.previous).toMatchObject({ value: '1', version: 1n });
    const { values, versions } = await readApplication(direct.store, application);
    expect(values.map(({ key, modRevision }) => [key, modRevision])).toEqual([
      [`/config/${application}/a`, revision],
      [`/config/${application}/b`, revision],
    ]);
    expect(versions.filter(({ modRevision }) => modRevision === revision)).toHaveLength(3);
  });

  it('writes nothing, of the history neither, where one item is bad', async () => {
    const application = applicationName();
    const { revision } = await config.put({ application, key: 'old', value: '1', author: 'ann' });
    const before = await storedConfiguration(gateway.etcd);
    const good = numbered(80);
    const bad = (put: object) => config.publish({ application, puts: [...good, { key: 'bad', ...put }] });
    for (const [failure, reason] of await failuresWith([
      [bad({ value: '{"a":\n}', contentType: ContentType.JSON }), 'CONFIG_VALUE_INVALID'],
      [bad({ valueBytes: Buffer.of(0xff), contentType: ContentType.YAML }), 'CONFIG_VALUE_INVALID'],
      [bad({ value: 'x', secret: true }), 'SECRET_KEY_UNKNOWN'],
      [bad({ key: 'old', value: '2', expectedRevision: revision - 1n }), 'REVISION_MISMATCH'],
      [bad({ key: 'k0001' }), 'KEY_DUPLICATE'],
      [config.publish({ application, puts: [{ key: 'a' }], deletes: ['a'] }), 'KEY_DUPLICATE'],
      [config.publish({ application, deletes: ['a', 'b', 'a'] }), 'KEY_DUPLICATE'],
      [config.publish({ application, puts: good, expectedRevision: 0n }), 'REVISION_MISMATCH'],
      [config.publish({ application, puts: good, expectedRevision: revision - 1n }), 'REVISION_MISMATCH'],
      [
        config.publish({
          application,
          puts: good,
          fence: { holder: { case: 'lock', value: 'l' }, token: 5n },
        }),
        'FENCE_LOST',
      ],
    ]))
      expect(failure.reason).toBe(reason);
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
  });

  it('names the item, the path and the line of what is bad', async () => {
    const application = applicationName();
    const puts = [{ key: 'good' }, { key: 'bad', value: '{\n "a": tru\n}', contentType: ContentType.JSON }];
    const failure = await failureOf(config.publish({ application, profile: 'prod', puts }));
    expect(failure).toMatchObject({
      code: 'InvalidArgument',
      reason: 'CONFIG_VALUE_INVALID',
      metadata: { application, profile: 'prod', key: 'bad', line: '2' },
    });
    expect(failure.message).toContain('line 2');
  });

  it('names who was first where another has changed something since', async () => {
    const application = applicationName();
    const { revision: read } = await config.list({ application });
    const { revision } = await config.put({ application, key: 'a', value: '1', author: 'ann' });
    const stale = { application, puts: [{ key: 'b' }], expectedRevision: read };
    expect(await failureOf(config.publish(stale))).toMatchObject({
      code: 'Aborted',
      reason: 'REVISION_MISMATCH',
      metadata: { key: 'a', author: 'ann', version: '1', actual_revision: String(revision) },
    });
    await config.publish({ ...stale, expectedRevision: revision });
    await config.publish({ ...stale, profile: 'prod', puts: [{ key: 'b' }], expectedRevision: 0n });
    await config.delete({ application, key: 'a', author: 'eve' });
    expect(
      await failureOf(config.publish({ ...stale, puts: [{ key: 'c' }], expectedRevision: revision })),
    ).toMatchObject({ reason: 'REVISION_MISMATCH', metadata: { key: expect.stringMatching(/^[ab]$/) } });
  });

  it('is refused where another etcd client has changed something since', async () => {
    const application = applicationName();
    const keys = ['a', 'b', 'c'].map((key) => `/config/${application}/${key}`);
    await writeStored(direct.store, Object.fromEntries(keys.map((key) => [key, 'x'])));
    for (const change of [{ [keys[0] ?? '']: 'y' }, { [keys[1] ?? '']: undefined }]) {
      const { revision: expectedRevision } = await config.list({ application });
      const changed = await writeStored(direct.store, change);
      const request = { application, puts: [{ key: 'c', value: String(changed) }] };
      expect(await failureOf(config.publish({ ...request, expectedRevision }))).toMatchObject({
        reason: 'REVISION_MISMATCH',
        metadata: { author: '', key: expect.stringMatching(/^[ab]$/) },
      });
      await config.publish({ ...request, expectedRevision: changed });
    }
  });

  it.each([3, 80])('tells of %i items what would change, and writes nothing, as a dry run', async (count) => {
    const application = applicationName();
    const puts = numbered(count);
    await config.publish({ application, puts: puts.slice(1), author: 'ann' });
    const before = await storedConfiguration(gateway.etcd);
    const request = { application, puts: puts.map((put) => ({ ...put, value: 'y' })), dryRun: true };
    const { changes, revision, delivery } = await config.publish({ ...request, delivery: {} });
    expect(changes.map(({ type }) => type)).toEqual([
      ConfigChange_Type.CREATED,
      ...puts.slice(1).map(() => ConfigChange_Type.UPDATED),
    ]);
    expect(changes[1]).toMatchObject({
      item: { value: 'y', version: 2n },
      previous: { value: 'x', version: 1n },
    });
    expect(revision).toBeGreaterThan(0n);
    expect(delivery).toBeUndefined();
    const bad = { ...request, puts: [{ key: 'k', value: '[', contentType: ContentType.JSON }] };
    expect(await failureOf(config.publish(bad))).toMatchObject({ reason: 'CONFIG_VALUE_INVALID' });
    expect(await failureOf(config.publish({ ...request, expectedRevision: 1n }))).toMatchObject({
      reason: 'REVISION_MISMATCH',
    });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
  });

  it('leaves out what would change nothing', async () => {
    const application = applicationName();
    const puts = [
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ];
    const { revision } = await config.publish({ application, puts });
    const before = await storedConfiguration(gateway.etcd);
    const none = await config.publish({ application, puts, deletes: ['none'] });
    expect(none).toMatchObject({ changes: [], revision });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    const { changes } = await config.publish({
      application,
      puts: [puts[0], { ...puts[1], contentType: ContentType.NUMBER }].filter((each) => each !== undefined),
    });
    expect(changes).toMatchObject([{ item: { key: 'b', version: 2n, contentType: ContentType.NUMBER } }]);
    expect((await config.history({ application, key: 'a' })).versions).toHaveLength(1);
  });

  it('writes 1,000 items and deletes 1,000 others at one revision', { timeout: TIMEOUT_MS }, async () => {
    const application = applicationName();
    const [old, puts] = [
      numbered(1_000, 'old'),
      numbered(1_000).map((put) => ({ ...put, key: `new-${put.key}` })),
    ];
    const first = await config.publish({ application, puts: old });
    expect(first.changes.map(({ item }) => item?.key)).toEqual(keysOf(old));
    const { revision, changes } = await config.publish({ application, puts, deletes: keysOf(old) });
    expect(changes).toHaveLength(2_000);
    const { values, versions } = await readApplication(direct.store, application);
    expect(values).toHaveLength(1_000);
    expect(new Set(values.map(({ modRevision }) => modRevision))).toEqual(new Set([revision]));
    const byRevision = (wanted: bigint) => versions.filter(({ modRevision }) => modRevision === wanted);
    expect([versions.length, byRevision(first.revision).length, byRevision(revision).length]).toEqual([
      3_000, 1_000, 2_000,
    ]);
    const records = await readStored(direct.store, `/concord/config/%2Fconfig/item/${application}/`);
    expect(records.keys).toHaveLength(2_000);
  });

  it('is refused with the limit where it is more than etcd takes at once', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const application = applicationName();
    const publish = (bytes: number) =>
      config.publish({ application, puts: ['a', 'b'].map((key) => ({ key, value: 'x'.repeat(bytes) })) });
    await publish(380_000);
    const before = await storedConfiguration(gateway.etcd);
    expect(await failureOf(publish(524_288))).toMatchObject({
      code: 'ResourceExhausted',
      reason: 'REQUEST_TOO_LARGE',
      metadata: { limit_bytes: String(MAX_REQUEST_BYTES) },
    });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    // Around the limit it is one or the other: etcd, which does not tell its limit, is not asked in vain.
    const least = MAX_REQUEST_BYTES / 4 - 3_000;
    for (let bytes = least; bytes < least + 3_000; bytes += 100) {
      const failure = await publish(bytes).then(
        () => undefined,
        (error) => failureOf(Promise.reject(error)),
      );
      if (failure !== undefined)
        expect(failure, String(bytes)).toMatchObject({
          reason: 'REQUEST_TOO_LARGE',
          metadata: { limit_bytes: String(MAX_REQUEST_BYTES) },
        });
    }
  });

  it('replaces and deletes more than one answer of etcd holds', { timeout: TIMEOUT_MS }, async () => {
    const application = applicationName();
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    const value = 'x'.repeat(500_000);
    for (const key of keys) await config.put({ application, key, value });
    await config.publish({ application, puts: keys.map((key) => ({ key, value: 'small' })) });
    for (const key of keys) await config.put({ application, key, value });
    const { changes } = await config.publish({ application, deletes: keys });
    expect(changes.map(({ previous }) => previous?.value.length)).toEqual(
      keys.map((_, i) => (i < 4 ? value.length : undefined)),
    );
  });
});
