import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { serviceName } from './stored-instances.ts';

const ALL = ['eu-1', 'eu-2', 'plain', 'us-1'];
const ANSWER_WITHIN_MS = 30_000;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;
const service = serviceName();

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  const described = [
    { instanceId: 'eu-1', zone: 'eu', metadata: { region: 'eu', 'team.name': 'a' }, tags: ['blue', 'ssd'] },
    { instanceId: 'eu-2', zone: 'eu', metadata: { region: 'eu' }, tags: ['blue'], port: 2_000, version: '2' },
    { instanceId: 'us-1', zone: 'us', metadata: { region: 'us' }, weight: 5, status: Status.DRAINING },
    { instanceId: 'plain', host: 'plain.example', status: Status.DOWN },
  ];
  for (const instance of described)
    await clients.discovery.register({ instance: { service, host: 'h', port: 80, ...instance } });
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

type Filter = NonNullable<Parameters<Clients['discovery']['discover']>[0]['filter']>;

async function found(filter: Filter, { discovery } = clients): Promise<string[]> {
  const { instances } = await discovery.discover({ service, filter });
  return instances.map(({ instanceId }) => instanceId);
}

describe('Discover', () => {
  it.each<[Filter, readonly string[]]>([
    [{}, ALL],
    [{ statuses: [Status.UP] }, ['eu-1', 'eu-2']],
    [{ statuses: [Status.DOWN, Status.DRAINING] }, ['plain', 'us-1']],
    [{ statuses: [Status.STARTING] }, []],
    [{ zones: ['us', 'eu'] }, ['eu-1', 'eu-2', 'us-1']],
    [{ zones: [''] }, ['plain']],
    [{ tags: ['blue'] }, ['eu-1', 'eu-2']],
    [{ tags: ['blue', 'ssd'] }, ['eu-1']],
    [{ version: '2' }, ['eu-2']],
    [{ zones: ['eu'], statuses: [Status.UP], tags: ['ssd'], version: '2' }, []],
  ])('returns what passes each field of the filter %j', async (filter, ids) => {
    expect(await found(filter)).toEqual(ids);
  });

  it.each<[string, readonly string[]]>([
    ['metadata.region == "eu"', ['eu-1', 'eu-2']],
    ['metadata.region == "eu" && port > 1024', ['eu-2']],
    ['metadata.region != "eu"', ['us-1']],
    ['!has(metadata.region)', ['plain']],
    ['metadata["team.name"] == "a"', ['eu-1']],
    ['"region" in metadata && metadata.region in ["us", "ap"]', ['us-1']],
    ['"ssd" in tags', ['eu-1']],
    ['tags.exists(tag, tag.startsWith("bl")) && tags.size() == 1', ['eu-2']],
    ['tags.filter(tag, tag != "blue").exists(tag, tag == "ssd")', ['eu-1']],
    ['weight >= 5 || instance_id.endsWith("-2")', ['eu-2', 'us-1']],
    ['host.matches("^plain[.]") && zone == "" && version == ""', ['plain']],
    ['metadata.missing == "x"', []],
    ['metadata.missing', []],
    ['metadata.missing == "x" || true', ALL],
    ['"(".matches(zone) || host.matches("((((a*)*)*)*)*$")', ALL],
  ])('returns what the expression %s is true for', async (expression, ids) => {
    expect(await found({ expression })).toEqual(ids);
  });

  it('asks the expression of an instance again once that has changed', async () => {
    const { discovery } = clients;
    const instance = { service: serviceName(), instanceId: 'a', host: 'h', port: 1, zone: 'x' };
    const query = { service: instance.service, filter: { expression: 'zone == "x"' } };
    await discovery.register({ instance });
    expect((await discovery.discover(query)).instances).toHaveLength(1);
    await discovery.updateInstance({ instance: { ...instance, zone: 'y' } });
    expect((await discovery.discover(query)).instances).toHaveLength(0);
  });
});

describe('an expression that cannot be used', () => {
  const wrong: readonly [string, RegExp][] = [
    ['metadata.region ==', /1:\d+/],
    ['port > 1 &&\n  && zone', /\d+:\d+/],
    ['"open', /1:\d+/],
    ['(', /1:\d+/],
    ['unknown == 1', /unresolved/],
    ['f(port)', /unbound function/],
    ['port + "x" == 1', /overload/],
    ['port', /condition/],
    ['1', /condition/],
    ['('.repeat(1_000), /./],
  ];

  it.each(wrong)('is refused with the place or the cause: %j', async (expression, place) => {
    for (const call of [
      () => clients.discovery.discover({ service, filter: { expression } }),
      () => clients.discovery.pick({ service, filter: { expression } }),
      () => clients.discovery.waitFor({ service, filter: { expression } }),
    ]) {
      const failure = await failureOf(call());
      expect(failure).toMatchObject({
        code: 'InvalidArgument',
        reason: 'FILTER_INVALID',
        metadata: { description: expect.stringMatching(place) },
      });
      expect(failure.message).toContain(failure.metadata['description']);
    }
  });

  it.each(PROTOCOLS)('is refused over $name', async ({ open }) => {
    const own = openClients(gateway.url, open(gateway.url));
    expect(await failureOf(found({ expression: '1 +' }, own))).toMatchObject({
      code: 'InvalidArgument',
      reason: 'FILTER_INVALID',
    });
  });

  it('is refused before it keeps the gateway from all else', async () => {
    const digits = '[0,1,2,3,4,5,6,7,8,9]';
    let expression = 'true';
    for (let depth = 0; depth < 15; depth++) expression = `${digits}.all(x,${expression})`;
    const startMs = performance.now();
    expect(await failureOf(found({ expression }))).toMatchObject({
      reason: 'FILTER_INVALID',
      metadata: { description: expect.stringContaining('loop') },
    });
    expect(performance.now() - startMs).toBeLessThan(ANSWER_WITHIN_MS);
  });
});
