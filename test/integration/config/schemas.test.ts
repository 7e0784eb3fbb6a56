import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { failureOf, failuresWith } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, storedConfiguration } from './stored-keys.ts';

const { JSON: JSON_TYPE, YAML, NUMBER } = ContentType;
const SERVER = JSON.stringify({
  type: 'object',
  required: ['host'],
  properties: { host: { type: 'string' }, port: { type: 'integer', maximum: 65_535 } },
});
const BAD = '{\n  "host": "h",\n  "port": 70000\n}';

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let config: Clients['config'];

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  ({ config } = openClients(gateway.url));
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

const forKey = (value: string) => ({ case: 'key', value }) as const;
const forPattern = (value: string) => ({ case: 'keyPattern', value }) as const;

describe('a schema', () => {
  it('is kept to by Put, Publish, Import and Rollback alike, with the item, the path and the line', async () => {
    const application = applicationName();
    const name = { application, key: 'server/a' };
    await config.put({ ...name, value: BAD, contentType: JSON_TYPE });
    await config.put({ ...name, value: '{"host":"h"}' });
    const keys = forPattern('server/*');
    expect((await config.setSchema({ application, keys, schema: SERVER })).violations).toEqual([]);
    const before = await storedConfiguration(gateway.etcd);
    const text = JSON.stringify({ good: '1', 'server/a': JSON.parse(BAD) });
    for (const [failure, line] of await failuresWith([
      [config.put({ ...name, value: BAD }), '3'],
      [config.put({ ...name, value: 'host: h\nport: 70000\n', contentType: YAML }), '2'],
      [config.publish({ application, puts: [{ key: 'good' }, { key: 'server/a', value: BAD }] }), '3'],
      [config.publish({ application, puts: [{ key: 'server/a', value: BAD }], dryRun: true }), '3'],
      [config.rollback({ ...name, version: 1n }), '3'],
      [config.import({ application, format: Format.JSON, text }), '1'],
      [config.import({ application, format: Format.JSON, text, dryRun: true }), '1'],
    ])) {
      expect(failure).toMatchObject({
        code: 'InvalidArgument',
        reason: 'CONFIG_VALUE_INVALID',
        metadata: { application, key: 'server/a', path: '/port', line },
      });
      expect(failure.message).toContain(`line ${line}, /port`);
    }
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
    await config.put({ application, key: 'server/a/b', value: BAD, contentType: JSON_TYPE });
    await config.put({ ...name, value: '{"host":"h","port":80}' });
  });

  it('holds in all profiles, for its key alone or for all of its pattern, and all that match hold', async () => {
    const application = applicationName();
    const put = (key: string, value: string, profile = '') =>
      config.put({ application, profile, key, value, contentType: NUMBER });
    await config.setSchema({ application, keys: forKey('a/b'), schema: '{"minimum":10}' });
    await config.setSchema({ application, keys: forPattern('**'), schema: '{"maximum":100}' });
    await config.setSchema({ application, keys: forPattern('a/?'), schema: '{"multipleOf":5}' });
    for (const [key, value, profile] of [
      ['a/b', '5', ''],
      ['a/b', '5', 'prod'],
      ['a/b', '101', ''],
      ['a/b', '12', ''],
      ['a/c', '12', 'prod'],
      ['x/y/z', '101', ''],
    ] as const)
      expect(await failureOf(put(key, value, profile))).toMatchObject({ reason: 'CONFIG_VALUE_INVALID' });
    await put('a/b', '15', 'prod');
    await put('a/c', '5');
    await put('a/bc', '1');
    const textsFor = async (key: string) =>
      (await config.getSchema({ application, key })).schemas.map(({ schema }) => schema);
    expect(await textsFor('a/b')).toEqual(['{"minimum":10}', '{"maximum":100}', '{"multipleOf":5}']);
    expect(await textsFor('x')).toEqual(['{"maximum":100}']);
    expect(await textsFor('')).toHaveLength(3);
    expect((await config.getSchema({ application: applicationName() })).schemas).toEqual([]);
  });

  it('is taken away by an empty one', async () => {
    const application = applicationName();
    const keys = forKey('n');
    const put = () => config.put({ application, key: 'n', value: '1', contentType: NUMBER });
    await config.setSchema({ application, keys, schema: '{"minimum":10}' });
    expect(await failureOf(put())).toMatchObject({ reason: 'CONFIG_VALUE_INVALID' });
    expect(await config.setSchema({ application, keys })).toMatchObject({ violations: [] });
    expect((await config.getSchema({ application })).schemas).toEqual([]);
    await put();
    await config.setSchema({ application, keys });
  });

  it('is written only over what was read', async () => {
    const application = applicationName();
    const set = (schema: string, expectedRevision: bigint) =>
      config.setSchema({ application, keys: forKey('k'), schema, expectedRevision });
    const { revision } = await set('{}', 0n);
    const stale = { code: 'Aborted', reason: 'REVISION_MISMATCH' };
    expect(await failureOf(set('true', 0n))).toMatchObject(stale);
    const second = await set('true', revision);
    expect(await failureOf(set('', revision))).toMatchObject({
      ...stale,
      metadata: { expected_revision: String(revision), actual_revision: String(second.revision) },
    });
    expect((await config.getSchema({ application })).schemas).toMatchObject([
      { keys: forKey('k'), schema: 'true', revision: second.revision },
    ]);
    await set('', second.revision);
  });

  it('tells which items break it already, in all profiles, and leaves them', async () => {
    const application = applicationName();
    const puts = ['b', 'a'].map((key) => ({ key, value: '5', contentType: NUMBER }));
    await config.publish({ application, puts });
    await config.publish({
      application,
      profile: 'prod',
      puts: [{ key: 'a', value: '[', contentType: ContentType.TEXT }],
    });
    const keys = forPattern('*');
    const { violations } = await config.setSchema({
      application,
      keys,
      schema: '{"type":"number","minimum":10}',
    });
    expect(violations.map(({ profile, key, line }) => [profile, key, line])).toEqual([
      ['default', 'a', 1],
      ['prod', 'a', 1],
      ['default', 'b', 1],
    ]);
    for (const { description } of violations) expect(description).toMatch(/^must /);
    expect((await config.list({ application })).items).toHaveLength(2);
    const many = Array.from({ length: 150 }, (_, i) => ({ key: `k${i}`, value: '1', contentType: NUMBER }));
    await config.publish({ application, profile: 'many', puts: many }).catch(() => {});
    await config.setSchema({ application, keys });
    await config.publish({ application, profile: 'many', puts: many });
    expect((await config.setSchema({ application, keys, schema: 'false' })).violations).toHaveLength(100);
  });

  it.each<[string, string, string]>([
    ['{"type":\n"strin"}', '2', '/type'],
    ['{"minimum":"1"}', '1', '/minimum'],
    ['[]', '1', ''],
    ['"x"', '1', ''],
    ['{"type":"string"', '1', ''],
    ['{"$ref":"https://example.com/s.json"}', '1', ''],
    ['{"pattern":"("}', '1', ''],
    ['{"$schema":"http://json-schema.org/draft-04/schema#"}', '1', '/$schema'],
  ])('is none where it is %s', async (schema, line, path) => {
    const application = applicationName();
    const before = await storedConfiguration(gateway.etcd);
    const failure = await failureOf(config.setSchema({ application, keys: forKey('k'), schema }));
    expect(failure).toMatchObject({
      code: 'InvalidArgument',
      reason: 'CONFIG_SCHEMA_INVALID',
      metadata: { line, path, description: expect.stringMatching(/./) },
    });
    expect(failure.message).toContain(`line ${line}`);
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
  });

  it('may be one of draft-07', async () => {
    const application = applicationName();
    const schema =
      '{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"n":{"type":"integer"}},"$ref":"#/definitions/n"}';
    await config.setSchema({ application, keys: forKey('k'), schema });
    const put = (value: string) => config.put({ application, key: 'k', value, contentType: NUMBER });
    await put('1');
    expect(await failureOf(put('1.5'))).toMatchObject({ reason: 'CONFIG_VALUE_INVALID' });
  });

  it('that is set while a value is written that breaks it is not got around', async () => {
    const application = applicationName();
    for (let round = 0; round < 20; round++) {
      const key = `k${round}`;
      const put = config.put({ application, key, value: '1', contentType: NUMBER }).then(
        () => true,
        async (error) => {
          expect(await failureOf(Promise.reject(error))).toMatchObject({ reason: 'CONFIG_VALUE_INVALID' });
          return false;
        },
      );
      const set = config.setSchema({ application, keys: forKey(key), schema: '{"minimum":10}' });
      const [isWritten, { violations }] = await Promise.all([put, set]);
      // What came first is told as a violation; what came last was refused.
      expect(violations.map((violation) => violation.key)).toEqual(isWritten ? [key] : []);
    }
  });

  it('is one of 1,000 at most', { timeout: 120_000 }, async () => {
    const application = applicationName();
    for (let i = 0; i < 1_000; i += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, j) =>
          config.setSchema({ application, keys: forKey(`k${i + j}`), schema: '{}' }),
        ),
      );
    expect(
      await failureOf(config.setSchema({ application, keys: forKey('more'), schema: '{}' })),
    ).toMatchObject({
      reason: 'LIMIT_REACHED',
      metadata: { limit: '1000' },
    });
    await config.setSchema({ application, keys: forKey('k7'), schema: 'false' });
    expect(await failureOf(config.put({ application, key: 'k7' }))).toMatchObject({
      reason: 'CONFIG_VALUE_INVALID',
    });
    await config.setSchema({ application, keys: forKey('k8') });
    await config.setSchema({ application, keys: forPattern('*/**'), schema: '{}' });
    expect((await config.getSchema({ application })).schemas).toHaveLength(1_000);
  });
});
