import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  Format,
  type ResolveRequestSchema,
  type SetSchemaRequestSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { storedConfiguration } from './stored-keys.ts';

const CONTROLS = ['\u0000', 'a\nb', 'a\tb', '\u001f', '\u007f', '\u0085', '\u009f'];
const WRONG_APPLICATIONS = ['', 'a/b', '/', ...CONTROLS, 'ä'.repeat(129)];
const WRONG_PROFILES = ['a/b', '/', ...CONTROLS, 'ä'.repeat(65)];
const WRONG_KEYS = ['', ...CONTROLS, 'ä'.repeat(513)];
const NAME = { application: 'app', key: 'k' };
const APPLICATION = { application: 'app' };
const LARGE = 'x'.repeat(524_289);

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let config: Clients['config'];
let before: readonly string[];

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  ({ config } = openClients(gateway.url));
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

async function expectInvalid(field: string, ...calls: readonly Promise<unknown>[]): Promise<void> {
  for (const failure of await Promise.all(calls.map(failureOf))) {
    expect(failure).toMatchObject({ code: 'InvalidArgument', reason: 'FIELD_INVALID' });
    expect(failure.message).toContain(field);
  }
}

/** What the first message of a watch is. */
async function watch(request: { application: string; profiles?: string[]; resumeToken?: string }) {
  for await (const message of config.watch(request)) return message;
  return undefined;
}

describe('a request about configuration that breaks a rule', () => {
  beforeEach(async () => {
    before = await storedConfiguration(gateway.etcd);
  });

  afterEach(async () => {
    expect(await storedConfiguration(gateway.etcd)).toEqual(before);
  });

  it.each(WRONG_APPLICATIONS)('is refused where it names the application %j', async (application) => {
    await expectInvalid(
      'application',
      config.get({ application, key: 'k' }),
      config.list({ application }),
      config.put({ application, key: 'k' }),
      config.delete({ application, key: 'k' }),
      config.publish({ application, deletes: ['k'] }),
      config.history({ application, key: 'k' }),
      config.getVersion({ application, key: 'k', version: 1n }),
      config.diff({ application, what: { case: 'profiles', value: {} } }),
      config.rollback({ application, key: 'k', version: 1n }),
      config.resolve({ application }),
      config.setSchema({ application, keys: { case: 'key', value: 'k' } }),
      config.getSchema({ application }),
      config.export({ application, format: Format.JSON }),
      config.import({ application, format: Format.JSON, text: '{}' }),
      config.listSubscribers({ application }),
      config.acknowledge({ application, subscriberId: 'a', acknowledgedRevision: 1n }),
      watch({ application }),
    );
    if (application !== '') await expectInvalid('application', config.rotateSecrets({ application }));
  });

  it.each(WRONG_PROFILES)('is refused where it names the profile %j', async (profile) => {
    await expectInvalid(
      'profile',
      config.get({ ...NAME, profile }),
      config.list({ ...APPLICATION, profile }),
      config.put({ ...NAME, profile }),
      config.delete({ ...NAME, profile }),
      config.publish({ ...APPLICATION, profile, deletes: ['k'] }),
      config.history({ ...NAME, profile }),
      config.getVersion({ ...NAME, profile, version: 1n }),
      config.diff({ ...APPLICATION, what: { case: 'profiles', value: { fromProfile: profile } } }),
      config.diff({ ...APPLICATION, what: { case: 'profiles', value: { toProfile: profile } } }),
      config.diff({ ...APPLICATION, what: { case: 'revisions', value: { profile, fromRevision: 1n } } }),
      config.diff({
        ...APPLICATION,
        what: { case: 'versions', value: { profile, key: 'k', fromVersion: 1n } },
      }),
      config.rollback({ ...NAME, profile, version: 1n }),
      config.resolve({ ...APPLICATION, profiles: [profile] }),
      config.export({ ...APPLICATION, profile, format: Format.JSON }),
      config.import({ ...APPLICATION, profile, format: Format.JSON, text: '{}' }),
      watch({ ...APPLICATION, profiles: [profile] }),
    );
  });

  it.each(WRONG_KEYS)('is refused where it names the key %j', async (key) => {
    const name = { ...APPLICATION, key };
    await expectInvalid(
      'key',
      config.get(name),
      config.put(name),
      config.delete(name),
      config.publish({ ...APPLICATION, puts: [{ key: 'good' }, { key }] }),
      config.history(name),
      config.getVersion({ ...name, version: 1n }),
      config.diff({ ...APPLICATION, what: { case: 'versions', value: { key, fromVersion: 1n } } }),
      config.rollback({ ...name, version: 1n }),
      config.setSchema({ ...APPLICATION, keys: { case: 'key', value: key } }),
    );
    await expectInvalid('deletes', config.publish({ ...APPLICATION, deletes: ['good', key] }));
    if (key !== '') await expectInvalid('key', config.getSchema({ ...APPLICATION, key }));
  });

  it('is refused where a number, a text or a list is out of bounds', async () => {
    await expectInvalid('value', config.put({ ...NAME, value: LARGE }));
    await expectInvalid('value_bytes', config.put({ ...NAME, valueBytes: Buffer.from(LARGE) }));
    await expectInvalid('value', config.put({ ...NAME, value: 'a', valueBytes: Buffer.of(1) }));
    await expectInvalid(
      'puts[1]',
      config.publish({ ...APPLICATION, puts: [{ key: 'a' }, { key: 'b', value: LARGE }] }),
    );
    await expectInvalid('content_type', config.put({ ...NAME, contentType: 8 as ContentType }));
    await expectInvalid('expected_revision', config.put({ ...NAME, expectedRevision: -1n }));
    await expectInvalid('author', config.put({ ...NAME, author: 'x'.repeat(257) }));
    await expectInvalid('comment', config.delete({ ...NAME, comment: 'x'.repeat(4_097) }));
    await expectInvalid('fence', config.put({ ...NAME, fence: {} }));
    await expectInvalid('puts', config.publish(APPLICATION));
    const many = Array.from({ length: 1_001 }, (_, i) => `k${i}`);
    await expectInvalid('deletes', config.publish({ ...APPLICATION, deletes: many }));
    await expectInvalid('puts', config.publish({ ...APPLICATION, puts: many.map((key) => ({ key })) }));
    const waiting = (delivery: object) => config.publish({ ...APPLICATION, deletes: ['k'], delivery });
    await expectInvalid('percent', waiting({ percent: 101 }), waiting({ percent: -1 }));
    await expectInvalid('timeout', waiting({ timeout: {} }), waiting({ timeout: { seconds: 301n } }));
    await expectInvalid('version', config.getVersion({ ...NAME, version: 0n }));
    await expectInvalid('version', config.rollback({ ...NAME, version: -1n }));
    await expectInvalid('prefix', config.list({ ...APPLICATION, prefix: 'x'.repeat(1_025) }));
    await expectInvalid('page_size', config.list({ ...APPLICATION, pageSize: 1_001 }));
    await expectInvalid('page_size', config.history({ ...NAME, pageSize: -1 }));
    await expectInvalid('page_size', config.listApplications({ pageSize: 1_001 }));
    await expectInvalid('prefix', config.listApplications({ prefix: 'x'.repeat(257) }));
    await expectInvalid('page_size', config.listSubscribers({ ...APPLICATION, pageSize: 1_001 }));
    await expectInvalid('min_revision', config.get({ ...NAME, minRevision: -1n }));
    await expectInvalid('consistency', config.list({ ...APPLICATION, consistency: 9 as Consistency }));
    await expectInvalid(
      'text',
      config.import({ ...APPLICATION, format: Format.JSON, text: 'x'.repeat(1_572_865) }),
    );
    await expectInvalid(
      'acknowledged_revision',
      config.acknowledge({ ...APPLICATION, subscriberId: 'a', acknowledgedRevision: 0n }),
    );
    await expectInvalid(
      'subscriber_id',
      config.acknowledge({ ...APPLICATION, subscriberId: 'a/b', acknowledgedRevision: 1n }),
    );
  });

  it('is refused where it does not say what to compare', async () => {
    await expectInvalid('what', config.diff(APPLICATION));
    const compare = (value: object) =>
      config.diff({ ...APPLICATION, what: { case: 'revisions', value } as never });
    await expectInvalid('from_revision', compare({}), compare({ fromRevision: -1n }));
    await expectInvalid('to_revision', compare({ fromRevision: 1n, toRevision: -1n }));
    await expectInvalid(
      'from_version',
      config.diff({ ...APPLICATION, what: { case: 'versions', value: { key: 'k' } } }),
    );
  });

  it.each([Format.UNSPECIFIED, 9 as Format])(
    'is refused where the format of a text is %j',
    async (format) => {
      await expectInvalid(
        'format',
        config.export({ ...APPLICATION, format }),
        config.import({ ...APPLICATION, format, text: '{}' }),
      );
    },
  );

  it.each<[string, MessageInitShape<typeof ResolveRequestSchema>['profiles']]>([
    ['profiles', ['prod', 'default']],
    ['profiles', ['prod', 'prod-eu', 'prod']],
    ['profiles', ['default', 'default']],
    ['profiles[0]', ['']],
    ['profiles', Array.from({ length: 17 }, (_, i) => `p${i}`)],
  ])('is refused where %s lie over themselves, are none or too many: %j', async (field, profiles = []) => {
    await expectInvalid(
      field,
      config.resolve({ ...APPLICATION, profiles }),
      watch({ ...APPLICATION, profiles: [...profiles] }),
    );
  });

  it.each<[string, MessageInitShape<typeof SetSchemaRequestSchema>]>([
    ['keys', {}],
    ['key', { keys: { case: 'key', value: 'a\n' } }],
    ['key_pattern', { keys: { case: 'keyPattern', value: '' } }],
    ['key_pattern', { keys: { case: 'keyPattern', value: 'x'.repeat(257) } }],
    ['key_pattern', { keys: { case: 'keyPattern', value: '*\u0000' } }],
    ['schema', { keys: { case: 'key', value: 'a' }, schema: 'x'.repeat(65_537) }],
    ['expected_revision', { keys: { case: 'key', value: 'a' }, expectedRevision: -1n }],
  ])('is refused where the %s of a schema is wrong', async (field, request) => {
    await expectInvalid(field, config.setSchema({ ...APPLICATION, ...request }));
  });
});
