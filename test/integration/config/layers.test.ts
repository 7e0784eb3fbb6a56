import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResolveResponse } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName, writeStored } from './stored-keys.ts';

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let config: Clients['config'];
let direct: Etcd;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({ CONCORD_SECRET_KEYS: `k:${Buffer.alloc(32, 3).toString('base64')}` });
  ({ config } = openClients(gateway.url));
  direct = openEtcd({ endpoints: [gateway.etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

const LAYERS = {
  default: { host: 'a', log: 'info', port: '80' },
  prod: { host: 'b', log: 'warn', only: 'prod' },
  'prod-eu': { log: 'error', last: 'eu' },
};

async function publishLayers(application: string): Promise<bigint> {
  let last = 0n;
  for (const [profile, values] of Object.entries(LAYERS)) {
    const puts = Object.entries(values).map(([key, value]) => ({ key, value }));
    ({ revision: last } = await config.publish({ application, profile, puts }));
  }
  return last;
}

const told = ({ items }: ResolveResponse) =>
  items.map(({ item, hidden }) => [
    item?.key,
    item?.value,
    item?.profile,
    hidden.map(({ profile, value }) => `${profile} ${value}`),
  ]);

describe('Resolve', () => {
  it('says for each key what counts, the layer that it is from, and what that hides', async () => {
    const application = applicationName();
    const published = await publishLayers(application);
    const answer = await config.resolve({ application, profiles: ['prod', 'prod-eu'] });
    expect(answer.revision).toBeGreaterThanOrEqual(published);
    expect(told(answer)).toEqual([
      ['host', 'b', 'prod', ['default a']],
      ['last', 'eu', 'prod-eu', []],
      ['log', 'error', 'prod-eu', ['prod warn', 'default info']],
      ['only', 'prod', 'prod', []],
      ['port', '80', 'default', []],
    ]);
    expect(await config.resolve({ application, profiles: ['default', 'prod', 'prod-eu'] })).toMatchObject({
      items: answer.items,
    });
  });

  it('takes the layers in the order that they are named in', async () => {
    const application = applicationName();
    await publishLayers(application);
    expect(told(await config.resolve({ application, profiles: ['prod-eu', 'prod'] }))[2]).toEqual([
      'log',
      'warn',
      'prod',
      ['prod-eu error', 'default info'],
    ]);
    expect(told(await config.resolve({ application }))).toEqual([
      ['host', 'a', 'default', []],
      ['log', 'info', 'default', []],
      ['port', '80', 'default', []],
    ]);
    expect(told(await config.resolve({ application, profiles: ['none'] }))).toHaveLength(3);
    expect(told(await config.resolve({ application: applicationName(), profiles: ['prod'] }))).toEqual([]);
  });

  it('shows what lies below where a layer loses a key, and what others write', async () => {
    const application = applicationName();
    await publishLayers(application);
    await config.delete({ application, profile: 'prod-eu', key: 'log' });
    await writeStored(direct.store, {
      [`/config/${application}/host`]: 'outside',
      [`/config/${application}/port`]: undefined,
    });
    expect(told(await config.resolve({ application, profiles: ['prod', 'prod-eu'] }))).toEqual([
      ['host', 'b', 'prod', ['default outside']],
      ['last', 'eu', 'prod-eu', []],
      ['log', 'warn', 'prod', ['default info']],
      ['only', 'prod', 'prod', []],
    ]);
  });

  it('redacts secrets, those that are hidden too', async () => {
    const application = applicationName();
    await config.put({ application, key: 's', value: 'hush', secret: true });
    await config.put({ application, profile: 'prod', key: 's', value: 'open' });
    const { items } = await config.resolve({ application, profiles: ['prod'] });
    expect(items).toMatchObject([
      { item: { value: 'open', redacted: false }, hidden: [{ value: '', secret: true, redacted: true }] },
    ]);
  });

  it('takes 16 layers of 100 keys', async () => {
    const application = applicationName();
    const profiles = Array.from({ length: 16 }, (_, i) => `p${i}`);
    for (const profile of profiles)
      await config.publish({
        application,
        profile,
        puts: Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: profile })),
      });
    const { items } = await config.resolve({ application, profiles });
    expect(items).toHaveLength(100);
    for (const { item, hidden } of items) {
      expect(item?.value).toBe('p15');
      expect(hidden.map(({ value }) => value)).toEqual(profiles.slice(0, 15).toReversed());
    }
  });
});
