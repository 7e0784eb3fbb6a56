import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigChange_Type, ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import type { DiffResponse } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { failuresOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, writeStored } from './stored-keys.ts';

const SECRET_KEY = Buffer.alloc(32, 9).toString('base64');
const TIMEOUT_MS = 120_000;
const { CREATED, UPDATED, DELETED } = ConfigChange_Type;

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

const revisions = (application: string, fromRevision: bigint, toRevision = 0n) =>
  config.diff({ application, what: { case: 'revisions', value: { fromRevision, toRevision } } });
const versions = (application: string, key: string, fromVersion: bigint, toVersion = 0n) =>
  config.diff({ application, what: { case: 'versions', value: { key, fromVersion, toVersion } } });
const told = ({ changes }: DiffResponse) =>
  changes.map(({ type, item, previous }) => [type, item?.key, previous?.value, item?.value]);

describe('two versions of an item', () => {
  it('differ by value, content type and existence', async () => {
    const application = applicationName();
    const name = { application, key: 'a' };
    await config.put({ ...name, value: '1' });
    await config.put({ ...name, value: '2' });
    await config.put({ ...name, value: '2', contentType: ContentType.NUMBER });
    await config.delete(name);
    await config.put({ ...name, value: '1' });
    expect(told(await versions(application, 'a', 1n, 2n))).toEqual([[UPDATED, 'a', '1', '2']]);
    expect(told(await versions(application, 'a', 2n, 1n))).toEqual([[UPDATED, 'a', '2', '1']]);
    expect(told(await versions(application, 'a', 2n, 3n))).toEqual([[UPDATED, 'a', '2', '2']]);
    expect(told(await versions(application, 'a', 3n, 4n))).toEqual([[DELETED, 'a', '2', '']]);
    expect(told(await versions(application, 'a', 4n))).toEqual([[CREATED, 'a', undefined, '1']]);
    expect(told(await versions(application, 'a', 1n))).toEqual([]);
    for (const failure of await failuresOf([
      versions(application, 'a', 6n),
      versions(application, 'a', 1n, 6n),
      versions(application, 'b', 1n),
    ]))
      expect(failure).toMatchObject({ code: 'NotFound', reason: 'CONFIG_VERSION_NOT_FOUND' });
  });
});

describe('a profile at two revisions', () => {
  it('differs by what was changed in between, also where etcd has compacted it away', async () => {
    const application = applicationName();
    const { revision: first } = await config.publish({
      application,
      puts: ['a', 'b', 'c'].map((key) => ({ key, value: '1' })),
    });
    await config.put({ application, key: 'b', value: '2' });
    await config.put({ application, key: 'd', value: '1' });
    const { revision: middle } = await config.delete({ application, key: 'c' });
    await config.put({ application, key: 'b', value: '1' });
    const { revision: last } = await config.put({ application, key: 'd', value: '2' });
    await config.put({ application, profile: 'prod', key: 'a', value: 'other' });
    await compact(gateway.etcd.endpoint, last);
    expect(told(await revisions(application, first, middle))).toEqual([
      [UPDATED, 'b', '1', '2'],
      [DELETED, 'c', '1', ''],
      [CREATED, 'd', undefined, '1'],
    ]);
    expect(told(await revisions(application, middle, first))).toEqual([
      [UPDATED, 'b', '2', '1'],
      [CREATED, 'c', undefined, '1'],
      [DELETED, 'd', '1', ''],
    ]);
    expect(told(await revisions(application, first))).toEqual([
      [DELETED, 'c', '1', ''],
      [CREATED, 'd', undefined, '2'],
    ]);
    expect(told(await revisions(application, last))).toEqual([]);
    expect(told(await revisions(application, 1n, first)).map(([, key]) => key)).toEqual(['a', 'b', 'c']);
  });

  it('is unknown at a revision that the store has not reached', async () => {
    const application = applicationName();
    const { revision } = await config.put({ application, key: 'a' });
    for (const failure of await failuresOf([
      revisions(application, revision + 100n),
      revisions(application, 1n, revision + 100n),
    ]))
      expect(failure).toMatchObject({ code: 'OutOfRange', reason: 'REVISION_IN_FUTURE' });
  });

  it('differs by what other etcd clients wrote at the revision at which they did', async () => {
    const application = applicationName();
    const key = `/config/${application}/a`;
    for (let round = 0; round < 10; round++) {
      const written = await writeStored(direct.store, { [key]: String(round) });
      const expected =
        round === 0 ? [CREATED, 'a', undefined, '0'] : [UPDATED, 'a', String(round - 1), String(round)];
      expect(told(await revisions(application, written - 1n))).toEqual([expected]);
      expect(told(await revisions(application, written - 1n, written))).toEqual([expected]);
      expect(told(await revisions(application, written))).toEqual([]);
    }
    const gone = await writeStored(direct.store, { [key]: undefined });
    expect(told(await revisions(application, gone - 1n))).toEqual([[DELETED, 'a', '9', '']]);
  });

  it('is told of 1,000 changes at most', { timeout: TIMEOUT_MS }, async () => {
    const application = applicationName();
    const { revision } = await config.list({ application });
    const puts = Array.from({ length: 1_000 }, (_, i) => ({ key: `k${String(i).padStart(4, '0')}` }));
    await config.publish({ application, puts });
    const whole = await revisions(application, revision);
    expect(whole).toMatchObject({ truncated: false });
    expect(whole.changes.map(({ item }) => item?.key)).toEqual(puts.map(({ key }) => key));
    await config.put({ application, key: 'k' });
    const part = await revisions(application, revision);
    expect(part).toMatchObject({ truncated: true });
    expect(part.changes.map(({ item }) => item?.key)).toEqual([
      'k',
      ...puts.slice(0, 999).map(({ key }) => key),
    ]);
  });

  it('is told in an answer that every client takes, however large the values', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const application = applicationName();
    const { revision } = await config.list({ application });
    for (let i = 0; i < 12; i++) await config.put({ application, key: `k${i}`, value: 'x'.repeat(500_000) });
    const { changes, truncated } = await revisions(application, revision);
    expect(truncated).toBe(true);
    expect(changes.length).toBeGreaterThan(3);
    expect(changes.length).toBeLessThan(8);
  });
});

describe('two profiles', () => {
  it('differ by their own items', async () => {
    const application = applicationName();
    await config.publish({ application, puts: ['a', 'b', 'c'].map((key) => ({ key, value: '1' })) });
    const puts = [
      { key: 'b', value: '2' },
      { key: 'c', value: '1' },
      { key: 'd', value: '1' },
    ];
    await config.publish({ application, profile: 'prod', puts });
    const compare = async (fromProfile: string, toProfile: string) =>
      told(await config.diff({ application, what: { case: 'profiles', value: { fromProfile, toProfile } } }));
    expect(await compare('', 'prod')).toEqual([
      [DELETED, 'a', '1', ''],
      [UPDATED, 'b', '1', '2'],
      [CREATED, 'd', undefined, '1'],
    ]);
    expect(await compare('prod', 'default')).toEqual([
      [CREATED, 'a', undefined, '1'],
      [UPDATED, 'b', '2', '1'],
      [DELETED, 'd', '1', ''],
    ]);
    expect(await compare('', 'default')).toEqual([]);
    expect(await compare('none', 'nothing')).toEqual([]);
  });
});

describe('secrets', () => {
  it('differ without being shown', async () => {
    const application = applicationName();
    const name = { application, key: 's' };
    const { revision } = await config.put({ ...name, value: 'hush1', secret: true });
    await config.put({ ...name, value: 'hush2' });
    await config.put({ application, key: 's', profile: 'prod', value: 'hush2', secret: true });
    const answers = [
      await versions(application, 's', 1n),
      await revisions(application, revision),
      await config.diff({ application, what: { case: 'profiles', value: { toProfile: 'none' } } }),
    ];
    for (const { changes } of answers) {
      expect(changes).toHaveLength(1);
      expect(changes[0]?.previous).toMatchObject({ value: '', redacted: true, secret: true });
      expect(changes[0]?.item).toMatchObject({ value: '', secret: true });
    }
    const same = { case: 'profiles', value: { toProfile: 'prod' } } as const;
    expect((await config.diff({ application, what: same })).changes).toEqual([]);
  });
});
