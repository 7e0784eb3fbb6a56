import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { seal } from '../../../src/rpc/fields/sealed-text.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, writeStored } from './stored-keys.ts';

const TIMEOUT_MS = 60_000;
const ITEMS = 250;

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

const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `k${String(i).padStart(4, '0')}`, value: 'old' }));
const { LINEARIZABLE, SERIALIZABLE } = Consistency;

describe('List', () => {
  it.each([
    ['default', LINEARIZABLE],
    ['default', SERIALIZABLE],
    ['prod', LINEARIZABLE],
  ])(
    'shows all pages at one revision, while others write (%s, %s)',
    { timeout: TIMEOUT_MS },
    async (profile, consistency) => {
      const application = applicationName();
      const request = { application, profile };
      const { revision: minRevision } = await config.publish({ ...request, puts: numbered(ITEMS) });
      const items: string[] = [];
      const revisions = new Set<bigint>();
      const sizes: number[] = [];
      let pageToken = '';
      for (const pageSize of [0, 7, 1_000]) {
        const page = await config.list({ ...request, pageSize, pageToken, consistency, minRevision: 0n });
        items.push(...page.items.map(({ key, value, version }) => `${key} ${value} ${version}`));
        revisions.add(page.revision);
        sizes.push(page.items.length);
        expect(page.totalSize).toBe(BigInt(ITEMS));
        ({ nextPageToken: pageToken } = page);
        await config.put({ ...request, key: 'k0249', value: 'new' });
        await config.put({ ...request, key: 'a', value: 'new' });
        await config.delete({ ...request, key: 'k0200' });
      }
      expect(pageToken).toBe('');
      expect(sizes).toEqual([100, 7, ITEMS - 107]);
      expect(revisions.size).toBe(1);
      expect([...revisions][0]).toBeGreaterThanOrEqual(minRevision);
      expect(items).toEqual(numbered(ITEMS).map(({ key }) => `${key} old 1`));
    },
  );

  it('shows those keys that begin with a prefix, and what others wrote, in the order of their bytes', async () => {
    const application = applicationName();
    const keys = ['a', 'a/b', 'a-b', 'ab', 'b', 'a/￮', 'a/😀', 'A'];
    await config.publish({ application, puts: keys.slice(1).map((key) => ({ key, value: 'x' })) });
    const minRevision = await writeStored(direct.store, { [`/config/${application}/a`]: 'x' });
    for (const consistency of [LINEARIZABLE, SERIALIZABLE]) {
      const keysOf = async (prefix: string) =>
        (await config.list({ application, prefix, consistency, minRevision })).items.map(({ key }) => key);
      expect(await keysOf('')).toEqual(
        keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
      expect(await keysOf('a/')).toEqual(['a/b', 'a/￮', 'a/😀']);
      expect(await keysOf('a/b/')).toEqual([]);
    }
    expect((await config.list({ application: applicationName() })).totalSize).toBe(0n);
  });

  it('has no page for other arguments, and none that etcd has forgotten', async () => {
    const application = applicationName();
    await config.publish({ application, puts: numbered(5) });
    const { nextPageToken: pageToken, revision } = await config.list({
      application,
      pageSize: 2,
      prefix: 'k',
    });
    const page = { application, prefix: 'k', pageToken };
    for (const other of [
      { application: applicationName() },
      { profile: 'prod' },
      { prefix: '' },
      { consistency: SERIALIZABLE },
      { minRevision: 1n },
      { pageToken: 'x' },
      { pageToken: `${pageToken}A` },
    ])
      expect(
        await failureOf(config.list({ ...page, ...other })),
        JSON.stringify(Object.keys(other)),
      ).toMatchObject({
        code: 'InvalidArgument',
        reason: 'PAGE_TOKEN_INVALID',
      });
    await config.put({ application, key: 'x' });
    expect((await config.list(page)).items).toHaveLength(3);
    await compact(gateway.etcd.endpoint, revision + 1n);
    expect(await failureOf(config.list(page))).toMatchObject({
      code: 'OutOfRange',
      reason: 'REVISION_COMPACTED',
    });
  });

  it('ends a page before it is too large', { timeout: TIMEOUT_MS }, async () => {
    const application = applicationName();
    for (const { key } of numbered(8)) await config.put({ application, key, value: 'x'.repeat(500_000) });
    const consistency = SERIALIZABLE;
    const first = await config.list({ application, consistency });
    const rest = await config.list({ application, consistency, pageToken: first.nextPageToken });
    expect(first.items.map(({ key }) => key)).toEqual(['k0000', 'k0001', 'k0002', 'k0003']);
    expect([...first.items, ...rest.items]).toHaveLength(8);
  });
});

describe('ListApplications', () => {
  it('counts the items of all profiles, and forgets applications without any', async () => {
    const prefix = `${applicationName()}.`;
    await config.put({ application: `${prefix}b`, key: 'k' });
    await config.put({ application: `${prefix}b`, profile: 'prod', key: 'k' });
    await config.put({ application: `${prefix}b`, profile: 'eu', key: 'l' });
    await config.put({ application: `${prefix}gone`, key: 'k' });
    await config.delete({ application: `${prefix}gone`, key: 'k' });
    await writeStored(direct.store, { [`/config/${prefix}a/k`]: 'x', [`/config/${prefix}none`]: 'x' });
    for (const consistency of [LINEARIZABLE, SERIALIZABLE])
      expect((await config.listApplications({ prefix, consistency })).applications).toMatchObject([
        { name: `${prefix}a`, itemCount: 1, profiles: ['default'] },
        { name: `${prefix}b`, itemCount: 3, profiles: ['default', 'eu', 'prod'] },
      ]);
  });

  it('goes page by page, behind where it was', { timeout: TIMEOUT_MS }, async () => {
    const prefix = `${applicationName()}.`;
    const names = Array.from({ length: 101 }, (_, i) => `${prefix}${String(i).padStart(3, '0')}`);
    await writeStored(direct.store, Object.fromEntries(names.map((name) => [`/config/${name}/k`, 'x'])));
    const first = await config.listApplications({ prefix });
    expect(first.applications.map(({ name }) => name)).toEqual(names.slice(0, 100));
    await writeStored(direct.store, { [`/config/${prefix}000a/k`]: 'x', [`/config/${prefix}1/k`]: 'x' });
    const rest = await config.listApplications({ prefix, pageToken: first.nextPageToken });
    expect(rest.applications.map(({ name }) => name)).toEqual([`${prefix}1`, `${prefix}100`]);
    expect(rest.nextPageToken).toBe('');
    for (const other of [{ prefix: '' }, { pageToken: 'x' }])
      expect(
        await failureOf(config.listApplications({ prefix, pageToken: first.nextPageToken, ...other })),
      ).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    const binding = Buffer.from(`concord.config.v1.ListApplicationsRequest ${prefix}`);
    for (const text of ['', '!', 'ÿ'])
      for (const { name } of (await config.listApplications({ prefix, pageToken: seal(text, binding) }))
        .applications)
        expect(name).toContain(prefix);
  });
});
