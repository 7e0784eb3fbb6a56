import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, storedConfiguration } from './stored-keys.ts';

const TOKEN = 'may-read-secrets-0123456789';
const TIMEOUT_MS = 60_000;
const FORMATS = [
  ['JSON', Format.JSON],
  ['YAML', Format.YAML],
  ['properties', Format.PROPERTIES],
  ['dotenv', Format.DOTENV],
] as const;
const PUTS = [
  { key: 'BOOLEAN', value: 'true', contentType: ContentType.BOOLEAN },
  { key: 'EMPTY', value: '', contentType: ContentType.TEXT },
  { key: 'JSON', value: '{"a":[1,"ä"]}', contentType: ContentType.JSON },
  { key: 'NUMBER', value: '-1.50', contentType: ContentType.NUMBER },
  { key: 'TEXT', value: 'a "quoted" $text # with = and \\', contentType: ContentType.TEXT },
  { key: 'YAML', value: 'a: 1\n', contentType: ContentType.YAML },
];

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let config: Clients['config'];

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({
    CONCORD_SECRET_KEYS: `k:${Buffer.alloc(32, 5).toString('base64')}`,
    CONCORD_SECRET_TOKENS: TOKEN,
  });
  ({ config } = openClients(gateway.url));
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(FORMATS)('an export as %s', (_, format) => {
  it('is imported again as what it was, over itself without a change', async () => {
    const application = applicationName();
    const published = await config.publish({ application, profile: 'prod', puts: PUTS });
    const { text, revision, redactedKeys } = await config.export({ application, profile: 'prod', format });
    expect(revision).toBeGreaterThanOrEqual(published.revision);
    expect(redactedKeys).toEqual([]);
    const before = await storedConfiguration(gateway.etcd);
    for (const replace of [true, false])
      expect(await config.import({ application, profile: 'prod', format, text, replace })).toMatchObject({
        changes: [],
        unchangedCount: PUTS.length,
        stepCount: 0,
      });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    const copied = await config.import({
      application,
      profile: 'copy',
      format,
      text,
      author: 'ann',
      comment: 'copy',
    });
    expect(copied).toMatchObject({ createdCount: PUTS.length, unchangedCount: 0, stepCount: 1 });
    const { items } = await config.list({ application, profile: 'copy' });
    expect(items.map(({ key, value }) => [key, value])).toEqual(PUTS.map(({ key, value }) => [key, value]));
    for (const item of items)
      expect(item).toMatchObject({ revision: copied.revision, author: 'ann', comment: 'copy' });
  });

  it('leaves secrets out, unless one asks for them who may', async () => {
    const application = applicationName();
    const puts = [
      { key: 'A', value: '1' },
      { key: 'S', value: 'hush', secret: true },
    ];
    await config.publish({ application, puts });
    const redacted = await config.export({ application, format });
    expect(redacted.redactedKeys).toEqual(['S']);
    expect(redacted.text).not.toContain('hush');
    const revealing = { application, format, revealSecrets: true };
    expect(await failureOf(config.export(revealing))).toMatchObject({
      code: 'PermissionDenied',
      reason: 'SECRET_ACCESS_DENIED',
    });
    const headers = { authorization: `Bearer ${TOKEN}` };
    const revealed = await config.export(revealing, { headers });
    expect(revealed.redactedKeys).toEqual([]);
    expect(revealed.text).toContain('hush');
    await config.import({ application, format, text: redacted.text, replace: true });
    expect((await config.get({ application, key: 'S', revealSecrets: true }, { headers })).item?.value).toBe(
      'hush',
    );
    await config.import({ application, format, text: revealed.text.replace('hush', 'shh') });
    expect((await config.get({ application, key: 'S' })).item).toMatchObject({
      secret: true,
      redacted: true,
      version: 2n,
    });
  });

  it('has nothing of an application that has none', async () => {
    const application = applicationName();
    const { text } = await config.export({ application, format });
    expect(await config.import({ application, format, text, replace: true })).toMatchObject({ changes: [] });
  });

  it('of 1,000 keys is imported at one revision', { timeout: TIMEOUT_MS }, async () => {
    const application = applicationName();
    const puts = Array.from({ length: 1_000 }, (_, i) => ({
      key: `K_${String(i).padStart(4, '0')}`,
      value: `v${i}`,
    }));
    await config.publish({ application, puts });
    const { text } = await config.export({ application, format });
    const imported = await config.import({ application, profile: 'copy', format, text });
    expect(imported).toMatchObject({ createdCount: 1_000, stepCount: 1 });
    expect(imported.changes).toHaveLength(1_000);
    const { items } = await config.list({ application, profile: 'copy', pageSize: 1_000 });
    expect(items.map(({ key, value }) => ({ key, value }))).toEqual(puts);
    expect(new Set(items.map(({ revision }) => revision))).toEqual(new Set([imported.revision]));
  });
});

describe('Import', () => {
  it('counts what it changes, in the order of the keys, and deletes only where it replaces', async () => {
    const application = applicationName();
    await config.publish({ application, puts: ['a', 'b', 'c'].map((key) => ({ key, value: '1' })) });
    const request = { application, format: Format.JSON, text: '{"d":"4","b":"2","a":"1"}' };
    const counts = { createdCount: 1, updatedCount: 1, deletedCount: 1, unchangedCount: 1 };
    const before = await storedConfiguration(gateway.etcd);
    const dry = await config.import({ ...request, replace: true, dryRun: true });
    expect(dry).toMatchObject({ ...counts, stepCount: 0 });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    expect(await config.import(request)).toMatchObject({ ...counts, deletedCount: 0 });
    await config.publish({ application, puts: [{ key: 'b', value: '1' }], deletes: ['d'] });
    const replaced = await config.import({ ...request, replace: true });
    expect(replaced).toMatchObject({ ...counts, stepCount: 1 });
    expect(replaced.changes.map(({ item }) => item?.key)).toEqual(['b', 'c', 'd']);
    expect((await config.list({ application })).items.map(({ key }) => key)).toEqual(['a', 'b', 'd']);
  });

  it('is refused where the profile was changed since it was read', async () => {
    const application = applicationName();
    const { revision } = await config.put({ application, key: 'a' });
    await config.put({ application, key: 'b', author: 'bob' });
    const request = { application, format: Format.JSON, text: '{"c":1}', expectedRevision: revision };
    for (const text of ['{"c":1}', '{}'])
      expect(await failureOf(config.import({ ...request, text }))).toMatchObject({
        code: 'Aborted',
        reason: 'REVISION_MISMATCH',
        metadata: { key: 'b', author: 'bob', version: '1' },
      });
    const fence = { holder: { case: 'lock', value: 'l' }, token: 5n } as const;
    const unfenced = { application, format: Format.JSON, text: '{"c":1}' };
    expect(await failureOf(config.import({ ...unfenced, fence }))).toMatchObject({ reason: 'FENCE_LOST' });
    expect((await config.list({ application })).totalSize).toBe(2n);
  });

  it.each<[Format, string, string]>([
    [Format.JSON, '{"a":1,\n"b":}', '2'],
    [Format.JSON, '[]', '1'],
    [Format.JSON, '', '1'],
    [Format.YAML, 'a: 1\n- b', '2'],
    [Format.PROPERTIES, 'a=\\uzzzz', '1'],
    [Format.DOTENV, 'A=1\nB', '2'],
  ])('is refused with the line where its text does not parse (%i, %j)', async (format, text, line) => {
    const application = applicationName();
    const before = await storedConfiguration(gateway.etcd);
    const failure = await failureOf(config.import({ application, format, text, replace: true }));
    expect(failure).toMatchObject({
      code: 'InvalidArgument',
      reason: 'CONFIG_TEXT_INVALID',
      metadata: { line },
    });
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
  });

  it('is refused where a key of the text cannot be one', async () => {
    for (const text of ['{"":1}', '{"a\\u0000":1}', `{"${'x'.repeat(1_025)}":1}`])
      expect(
        await failureOf(config.import({ application: applicationName(), format: Format.JSON, text })),
      ).toMatchObject({ reason: 'CONFIG_TEXT_INVALID' });
  });
});

describe('Export', () => {
  it('fails where the format cannot hold a key or a value', async () => {
    const application = applicationName();
    await config.put({ application, key: 'a b', valueBytes: Buffer.of(0xff) });
    const failure = { code: 'FailedPrecondition', reason: 'CONFIG_FORMAT_UNFIT', metadata: { key: 'a b' } };
    expect(await failureOf(config.export({ application, format: Format.JSON }))).toMatchObject(failure);
    await config.put({ application, key: 'a b', value: '1' });
    expect(await failureOf(config.export({ application, format: Format.DOTENV }))).toMatchObject(failure);
    expect((await config.export({ application, format: Format.JSON })).text).toBe('{\n  "a b": "1"\n}\n');
  });
});
