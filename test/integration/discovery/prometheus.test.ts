import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { serviceName } from './stored-instances.ts';

const TIMEOUT_MS = 120_000;

/** As Prometheus takes it: https://prometheus.io/docs/prometheus/latest/http_sd/ */
interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

const route = (query: string, { url } = gateway): string => `${url}/sd/prometheus${query}`;

async function groupsOf(query: string): Promise<readonly TargetGroup[]> {
  const response = await fetch(route(query));
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return (await response.json()) as TargetGroup[];
}

async function targetsOf(query: string): Promise<readonly string[]> {
  return (await groupsOf(query)).flatMap(({ targets }) => targets);
}

/** Registers, and waits until the gateway knows it. */
async function register(instance: Parameters<Clients['discovery']['register']>[0]['instance'] & object) {
  const { revision } = await clients.discovery.register({ instance });
  await clients.discovery.discover({ service: instance.service ?? '', minRevision: revision });
  await eventually(async () =>
    expect(await targetsOf(`?service=${encodeURIComponent(instance.service ?? '')}`)).not.toEqual([]),
  );
}

describe('Prometheus HTTP service discovery', () => {
  it('gives an instance with all that is known of it as labels', async () => {
    const service = serviceName();
    await register({
      service,
      instanceId: 'a',
      host: 'orders-1.example',
      port: 9_100,
      metadata: { region: 'eu', 'team.name/x': 'a', ключ: 'б', empty: '', service: 'not the label' },
      tags: ['blue', 'ssd'],
      version: '1.2',
      zone: 'z1',
      weight: 5,
      status: Status.DRAINING,
    });
    expect(await groupsOf(`?service=${service}`)).toEqual([
      {
        targets: ['orders-1.example:9100'],
        labels: {
          __meta_concord_service: service,
          __meta_concord_instance_id: 'a',
          __meta_concord_status: 'DRAINING',
          __meta_concord_version: '1.2',
          __meta_concord_zone: 'z1',
          __meta_concord_weight: '5',
          __meta_concord_tags: ',blue,ssd,',
          __meta_concord_metadata_region: 'eu',
          __meta_concord_metadata_team_name_x: 'a',
          __meta_concord_metadata_____: 'б',
          __meta_concord_metadata_service: 'not the label',
        },
      },
    ]);
  });

  it('gives every instance, whatever its status, and those of other clients', async () => {
    const service = serviceName();
    for (const [i, status] of [Status.UP, Status.DOWN, Status.STARTING].entries())
      await register({ service, instanceId: `${i}`, host: '10.0.0.1', port: i + 1, status });
    await clients.kv.put({ key: `/services/${service}/3`, value: '{"host":"10.0.0.1","port":4}' });
    await clients.kv.put({ key: `/services/${service}/4`, value: 'no instance' });
    await eventually(async () => {
      expect(await targetsOf(`?service=${service}`)).toEqual([1, 2, 3, 4].map((port) => `10.0.0.1:${port}`));
    });
  });

  it('puts an address of IPv6 in brackets, once', async () => {
    const service = serviceName();
    await register({ service, instanceId: 'a', host: '::1', port: 1 });
    await clients.kv.put({ key: `/services/${service}/b`, value: '{"host":"[::2]","port":2}' });
    await eventually(async () => {
      expect(await targetsOf(`?service=${service}`)).toEqual(['[::1]:1', '[::2]:2']);
    });
  });

  it('gives one service, several, each once, or all', async () => {
    const [a, b, c] = [serviceName(), serviceName(), `${serviceName()} &=ключ`];
    for (const [i, service] of [a, b, c].entries())
      await register({ service, instanceId: 'a', host: `h${i}`, port: 1 });
    expect(await targetsOf(`?service=${a}`)).toEqual(['h0:1']);
    expect(await targetsOf(`?service=${encodeURIComponent(c)}`)).toEqual(['h2:1']);
    expect((await targetsOf(`?service=${a}&service=${b}&service=${a}`)).toSorted()).toEqual(['h0:1', 'h1:1']);
    for (const query of ['', '?', '?other=x'])
      expect(await targetsOf(query)).toEqual(expect.arrayContaining(['h0:1', 'h1:1', 'h2:1']));
  });

  it.each(['?service=missing', '?service=a/b', '?service=%00', '?service=', '?service=__proto__'])(
    'gives an empty list for what there is not: %s',
    async (query) => {
      expect(await groupsOf(query)).toEqual([]);
    },
  );

  it('takes GET and HEAD only', async () => {
    expect((await fetch(route(''), { method: 'POST' })).status).toBe(405);
    const head = await fetch(route(''), { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('goes on with what the gateway knows while etcd does not answer', { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    await register({ service, instanceId: 'a', host: 'h', port: 1 });
    gateway.etcd.pause();
    try {
      expect(await targetsOf(`?service=${service}`)).toEqual(['h:1']);
    } finally {
      gateway.etcd.resume();
    }
  });

  it('says that it cannot know, rather than that there is nothing', { timeout: TIMEOUT_MS }, async () => {
    await using etcd = await startEtcd();
    await using own = await startGateway([etcd.endpoint]);
    await etcd.kill();
    const response = await fetch(`${own.url}/sd/prometheus?service=any`);
    expect(response.status).toBe(503);
    const faults = own.logLines.filter(({ level }) => level === 'error');
    expect(faults).toEqual([]);
  });
});
