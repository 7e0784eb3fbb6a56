import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchResponse_Kind as Kind } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type ConfigClient, type ConfigWatch, kindName, openConfigWatch } from './config-watch.ts';
import { writeOutside } from './write-outside.ts';

const PROFILES = ['prod', 'prod-eu'];

describe('a watch of the effective configuration', () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[];
  let direct: Etcd;
  let config: ConfigClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
    direct = openEtcd({ endpoints: [etcd.endpoint] });
    config = openClients(gateways[0]?.url ?? '').config;
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  /** Waits until everything up to a revision was told, and returns the lines of the changes. */
  async function toldUpTo(watch: ConfigWatch, revision: bigint): Promise<readonly string[]> {
    await watch.find((message) => message.revision >= revision);
    return watch.changes();
  }

  it('begins with what counts, whichever of the layers it comes from', async () => {
    const application = randomUUID();
    for (const [profile, key] of [
      ['default', 'all'],
      ['prod', 'all'],
      ['prod-eu', 'all'],
      ['default', 'base'],
      ['prod', 'middle'],
      ['default', 'middle'],
      ['test', 'other'],
    ] as const)
      await config.put({ application, profile, key, value: profile });
    await using watch = openConfigWatch(config, { application, profiles: PROFILES, effective: true });
    await watch.opened;
    expect(watch.messages.map(kindName)).toEqual(['SNAPSHOT', 'SYNCED', 'CHECKPOINT']);
    expect(watch.items()).toEqual(['prod-eu/all@1=prod-eu', 'default/base@1=default', 'prod/middle@1=prod']);
  });

  it('tells what changes what counts, and of what is hidden only that it has passed', async () => {
    const application = randomUUID();
    const put = (profile: string, value: string) => config.put({ application, profile, key: 'k', value });
    const remove = (profile: string) => config.delete({ application, profile, key: 'k' });
    await using watch = openConfigWatch(config, { application, profiles: PROFILES, effective: true });
    await watch.opened;
    const steps: readonly (readonly [() => Promise<{ readonly revision: bigint }>, string | undefined])[] = [
      [() => put('prod', '1'), 'CREATED prod/k@1=1'],
      [() => put('default', '1'), undefined],
      [() => put('prod-eu', '1'), 'UPDATED prod-eu/k@1=1 < prod/k@1=1'],
      [() => put('prod', '2'), undefined],
      [() => put('default', '2'), undefined],
      [() => put('test', '1'), undefined],
      [() => put('prod-eu', '2'), 'UPDATED prod-eu/k@2=2 < prod-eu/k@1=1'],
      [() => remove('prod'), undefined],
      [() => remove('prod-eu'), 'UPDATED default/k@2=2 < prod-eu/k@2=2'],
      [() => put('default', '3'), 'UPDATED default/k@3=3 < default/k@2=2'],
      [() => put('prod', '4'), 'UPDATED prod/k@4=4 < default/k@3=3'],
      [() => remove('default'), undefined],
      [() => remove('prod'), 'DELETED prod/k@5= < prod/k@4=4'],
      [() => put('default', '5'), 'CREATED default/k@5=5'],
    ];
    const told: string[] = [];
    for (const [change, line] of steps) {
      const { revision } = await change();
      if (line !== undefined) told.push(line);
      expect(await toldUpTo(watch, revision)).toEqual(told);
      const { kind } = await watch.find((message) => message.revision >= revision);
      expect(kind).toBe(line === undefined ? Kind.CHECKPOINT : Kind.EVENTS);
    }
  });

  it('tells of one Publish what counts of it, in one message', async () => {
    const application = randomUUID();
    await config.put({ application, profile: 'prod', key: 'hidden', value: 'prod' });
    await config.put({ application, key: 'gone', value: 'base' });
    await using watch = openConfigWatch(config, { application, profiles: PROFILES, effective: true });
    await watch.opened;
    const { revision } = await config.publish({
      application,
      puts: ['hidden', 'a', 'b'].map((key) => ({ key, value: '1' })),
      deletes: ['gone'],
    });
    expect(await toldUpTo(watch, revision)).toEqual([
      'CREATED default/a@1=1',
      'CREATED default/b@1=1',
      'DELETED default/gone@2= < default/gone@1=base',
    ]);
    expect(watch.messages.filter(({ kind }) => kind === Kind.EVENTS)).toHaveLength(1);
  });

  it('tells what other etcd clients do where it counts', async () => {
    const application = randomUUID();
    await config.put({ application, profile: 'prod', key: 'hidden', value: 'prod' });
    await using watch = openConfigWatch(config, { application, profiles: PROFILES, effective: true });
    await watch.opened;
    await writeOutside(direct, application, { hidden: '1', seen: '1' });
    await eventually(() => expect(watch.changes()).toEqual(['CREATED default/seen@1=1']));
    const { revision } = await config.delete({ application, profile: 'prod', key: 'hidden' });
    expect(await toldUpTo(watch, revision)).toEqual([
      'CREATED default/seen@1=1',
      'UPDATED default/hidden@1=1 < prod/hidden@1=prod',
    ]);
  });

  it('goes on at another gateway with what counted where it was cut off', async () => {
    const application = randomUUID();
    const there = openClients(gateways[1]?.url ?? '').config;
    const request = { application, profiles: PROFILES, effective: true };
    await config.put({ application, key: 'k', value: 'base' });
    await config.put({ application, profile: 'prod', key: 'k', value: 'prod' });
    const first = openConfigWatch(config, request);
    await first.opened;
    const resumeToken = first.token();
    await first[Symbol.asyncDispose]();
    await config.put({ application, key: 'k', value: 'hidden' });
    await config.delete({ application, profile: 'prod', key: 'k' });
    await using second = openConfigWatch(there, { ...request, resumeToken });
    await eventually(() => expect(second.changes()).not.toEqual([]));
    expect(second.changes()).toEqual(['UPDATED default/k@2=hidden < prod/k@1=prod']);
    expect(second.messages.map(kindName)).not.toContain('SNAPSHOT');
  });
});
