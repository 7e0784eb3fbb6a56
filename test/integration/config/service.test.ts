import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigChange_Type, ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  Format,
  Subscriber_State,
  WatchResponse_Kind,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName } from './stored-keys.ts';

const TIMEOUT_MS = 60_000;
const KEY = Buffer.alloc(32, 7).toString('base64');

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({ CONCORD_SECRET_KEYS: `k1:${KEY}` });
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(PROTOCOLS)('ConfigService over $name', ({ open }) => {
  const connect = () => openClients(gateway.url, open(gateway.url));

  it('writes, reads, compares, brings back and deletes an item', { timeout: TIMEOUT_MS }, async () => {
    const { config } = connect();
    const application = applicationName();
    const name = { application, key: 'server/port' };
    const said = { ...name, value: '80', contentType: ContentType.NUMBER };
    const put = await config.put({ ...said, expectedRevision: 0n, author: 'ann', comment: 'first' });
    expect(put.item).toMatchObject({
      ...said,
      profile: 'default',
      version: 1n,
      author: 'ann',
      comment: 'first',
      secret: false,
      redacted: false,
      revision: put.revision,
    });
    expect(put.item?.valueBytes).toHaveLength(0);
    const ageMs = Date.now() - timestampMs(put.item?.updateTime ?? ({ seconds: 0n, nanos: 0 } as never));
    expect(Math.abs(ageMs)).toBeLessThan(20_000);
    expect((await config.get(name)).item).toEqual(put.item);
    expect(await config.list({ application })).toMatchObject({ items: [put.item], totalSize: 1n });
    expect((await config.listApplications({ prefix: application })).applications).toMatchObject([
      { name: application, itemCount: 1, profiles: ['default'] },
    ]);

    const second = await config.put({ ...name, value: '81', expectedRevision: put.revision });
    expect(second.item).toMatchObject({ version: 2n, contentType: ContentType.NUMBER, author: '' });
    const { versions } = await config.history(name);
    expect(versions).toMatchObject([
      { version: 2n, value: '81', revision: second.revision },
      { version: 1n, value: '80', author: 'ann', comment: 'first', external: false, rollbackOf: 0n },
    ]);
    expect(await config.getVersion({ ...name, version: 1n })).toMatchObject({ version: versions[1] });
    const { changes } = await config.diff({
      application,
      what: { case: 'versions', value: { key: name.key, fromVersion: 1n } },
    });
    expect(changes).toMatchObject([
      { type: ConfigChange_Type.UPDATED, item: { value: '81' }, previous: { value: '80' } },
    ]);
    const back = await config.rollback({ ...name, version: 1n, author: 'bob' });
    expect(back.item).toMatchObject({ value: '80', version: 3n, author: 'bob', revision: back.revision });
    expect(await config.getVersion({ ...name, version: 3n })).toMatchObject({ version: { rollbackOf: 1n } });
    const gone = await config.delete({ ...name, author: 'eve' });
    expect(gone).toMatchObject({ deleted: true, version: 4n });
    expect(await failureOf(config.get(name))).toMatchObject({
      code: 'NotFound',
      reason: 'CONFIG_ITEM_NOT_FOUND',
      metadata: { application, profile: 'default', key: 'server/port' },
    });
  });

  it('publishes, resolves, exports and imports', { timeout: TIMEOUT_MS }, async () => {
    const { config } = connect();
    const application = applicationName();
    const puts = [
      { key: 'a', value: '1' },
      { key: 'b', value: '2', secret: true },
    ];
    const { revision, changes } = await config.publish({
      application,
      puts,
      deletes: ['none'],
      author: 'ann',
    });
    expect(changes).toMatchObject([
      { type: ConfigChange_Type.CREATED, item: { ...puts[0], version: 1n, revision, author: 'ann' } },
      { type: ConfigChange_Type.CREATED, item: { key: 'b', value: '', secret: true, redacted: true } },
    ]);
    await config.publish({ application, profile: 'prod', puts: [{ key: 'a', value: '3' }] });
    const { items } = await config.resolve({ application, profiles: ['prod'] });
    expect(items).toMatchObject([
      { item: { key: 'a', value: '3', profile: 'prod' }, hidden: [{ value: '1', profile: 'default' }] },
      { item: { key: 'b', redacted: true }, hidden: [] },
    ]);
    const exported = await config.export({ application, format: Format.PROPERTIES });
    expect(exported).toMatchObject({ text: 'a=1\n', redactedKeys: ['b'] });
    const imported = await config.import({ application, format: Format.YAML, text: 'a: x\nc: true\n' });
    expect(imported).toMatchObject({
      changes: [{ item: { key: 'a', value: 'x' } }, { item: { key: 'c', contentType: ContentType.BOOLEAN } }],
      createdCount: 1,
      updatedCount: 1,
      deletedCount: 0,
      unchangedCount: 0,
      stepCount: 1,
    });
    expect(await config.rotateSecrets({ application })).toMatchObject({ keyId: 'k1', rotatedCount: 0 });
  });

  it('sets and returns schemas', { timeout: TIMEOUT_MS }, async () => {
    const { config } = connect();
    const application = applicationName();
    const keys = { case: 'keyPattern', value: 'server/*' } as const;
    const schema = '{"type":"integer"}';
    await config.put({ application, key: 'server/port', value: '1.5', contentType: ContentType.NUMBER });
    const { revision, violations } = await config.setSchema({ application, keys, schema });
    expect(violations).toMatchObject([{ profile: 'default', key: 'server/port', path: '', line: 1 }]);
    expect(await config.getSchema({ application, key: 'server/port' })).toMatchObject({
      schemas: [{ keys, schema, revision }],
    });
    expect(
      await failureOf(
        config.put({ application, key: 'server/port', value: '"x"', contentType: ContentType.JSON }),
      ),
    ).toMatchObject({ code: 'InvalidArgument', reason: 'CONFIG_VALUE_INVALID', metadata: { line: '1' } });
  });

  it('streams, and knows who watches', { timeout: TIMEOUT_MS }, async () => {
    const { config } = connect();
    const application = applicationName();
    await config.put({ application, key: 'a', value: '1' });
    const controller = new AbortController();
    await using watching = collect(
      config.watch({ application, subscriber: 'me' }, { signal: controller.signal }),
      controller,
    );
    const synced = await watching.find(({ kind }) => kind === WatchResponse_Kind.SYNCED);
    expect(watching.messages[0]).toMatchObject({
      kind: WatchResponse_Kind.SNAPSHOT,
      items: [{ key: 'a', value: '1' }],
    });
    const { revision } = await config.put({ application, key: 'a', value: '2' });
    const events = await watching.find(({ kind }) => kind === WatchResponse_Kind.EVENTS);
    expect(events).toMatchObject({
      revision,
      changes: [{ type: ConfigChange_Type.UPDATED, item: { value: '2' }, previous: { value: '1' } }],
    });
    const { subscriberId } = synced;
    const acknowledged = { application, subscriberId, acknowledgedRevision: revision };
    await eventually(() => config.acknowledge(acknowledged));
    const { subscribers } = await config.listSubscribers({ application });
    expect(subscribers).toMatchObject([
      { subscriberId, name: 'me', state: Subscriber_State.APPLIED, acknowledgedRevision: revision },
    ]);
  });
});
