import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiscoverResponseSchema } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { seal } from '../../../src/rpc/fields/sealed-text.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { mutated } from '../../support/random-messages.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { serviceName, writeKeys } from './stored-instances.ts';

const SERVICES = 1_000;
const INSTANCES = 10_000;
const KEYS_A_WRITE = 100;
const TIMEOUT_MS = 120_000;
/** What every gRPC client takes by default. */
const DEFAULT_MESSAGE_LIMIT = 4 * 1024 * 1024;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;
let direct: Etcd;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  direct = openEtcd({ endpoints: [gateway.etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

async function writeAll(entries: readonly (readonly [string, string])[]): Promise<void> {
  for (let i = 0; i < entries.length; i += KEYS_A_WRITE)
    await writeKeys(direct.store, Object.fromEntries(entries.slice(i, i + KEYS_A_WRITE)));
}

/** Lists all services whose names begin so, page by page. */
async function listAll(prefix: string, pageSize = 0) {
  const services: { name: string; instanceCount: number; upCount: number }[] = [];
  const sizes: number[] = [];
  let pageToken = '';
  do {
    const page = await clients.discovery.listServices({ prefix, pageSize, pageToken });
    services.push(...page.services);
    sizes.push(page.services.length);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return { services, sizes };
}

const valueWith = (status: string): string => JSON.stringify({ host: 'h', port: 80, status });

describe('ListServices', () => {
  it('counts the instances of each service, and who of them is up', async () => {
    const prefix = `${serviceName()}.`;
    await writeAll([
      [`${prefix}a/1`, valueWith('UP')],
      [`${prefix}a/2`, valueWith('DOWN')],
      [`${prefix}a/3`, 'no instance'],
      [`${prefix}b/1`, valueWith('DRAINING')],
      [`${prefix}empty/1`, 'no instance'],
      [`other-${prefix}a/1`, valueWith('UP')],
    ]);
    expect((await listAll(prefix)).services).toMatchObject([
      { name: `${prefix}a`, instanceCount: 2, upCount: 1 },
      { name: `${prefix}b`, instanceCount: 1, upCount: 0 },
    ]);
  });

  it(`goes through ${SERVICES} services of 10 instances page by page`, { timeout: TIMEOUT_MS }, async () => {
    const prefix = `${serviceName()}.`;
    const names = Array.from({ length: SERVICES }, (_, i) => `${prefix}${i}`);
    await writeAll(
      names.flatMap((name) =>
        Array.from({ length: 10 }, (_, i) => [`${name}/${i}`, valueWith('UP')] as const),
      ),
    );
    const byDefault = await listAll(prefix);
    expect(byDefault.services.map(({ name }) => name)).toEqual(names.toSorted());
    expect(byDefault.services.every((each) => each.instanceCount === 10 && each.upCount === 10)).toBe(true);
    expect(byDefault.sizes).toEqual(Array.from({ length: 10 }, () => 100));
    expect((await listAll(prefix, 333)).sizes).toEqual([333, 333, 333, 1]);
    expect((await listAll(prefix, 1_000)).sizes).toEqual([1_000]);
    const narrowed = await listAll(`${prefix}99`, 5);
    expect(narrowed.services.map(({ name }) => name)).toEqual(
      names.filter((name) => name.startsWith(`${prefix}99`)).toSorted(),
    );
  });

  it('goes on behind where it was when services come and go in between', async () => {
    const prefix = `${serviceName()}.`;
    const page = (pageToken: string) => clients.discovery.listServices({ prefix, pageSize: 2, pageToken });
    await writeAll(['b', 'd', 'f'].map((name) => [`${prefix}${name}/1`, valueWith('UP')]));
    const { nextPageToken } = await page('');
    await writeKeys(direct.store, { [`${prefix}a/1`]: valueWith('UP'), [`${prefix}d/1`]: undefined });
    await writeKeys(direct.store, { [`${prefix}e/1`]: valueWith('UP') });
    const rest = await page(nextPageToken);
    expect(rest.services.map(({ name }) => name)).toEqual([`${prefix}e`, `${prefix}f`]);
    expect(rest.nextPageToken).toBe('');
  });
});

describe('a page token of services', () => {
  const bindingOf = (prefix: string) => Buffer.from(`concord.discovery.v1.ListServicesRequest ${prefix}`);

  async function prepared() {
    const prefix = `${serviceName()}.`;
    await writeAll(['a', 'b', 'c'].map((name) => [`${prefix}${name}/1`, valueWith('UP')]));
    const { nextPageToken } = await clients.discovery.listServices({ prefix, pageSize: 1 });
    return { prefix, token: nextPageToken };
  }

  it('is refused with another prefix, of another rpc, and damaged', async () => {
    const { prefix, token } = await prepared();
    const { nextPageToken: ofKeys } = await clients.kv.list({ prefix: '/services/', pageSize: 1 });
    const damaged = fc
      .sample(mutated(Buffer.from(token)), 100)
      .map((bytes) => bytes.toString('latin1'))
      .filter(
        (text) => text !== '' && Buffer.from(text, 'base64url').compare(Buffer.from(token, 'base64url')),
      );
    const calls = [
      { prefix: `${prefix}a`, pageToken: token },
      { prefix: '', pageToken: token },
      ...[ofKeys, 'x', ...damaged].map((pageToken) => ({ prefix, pageToken })),
    ];
    for (const call of calls) {
      expect(await failureOf(clients.discovery.listServices(call)), call.pageToken).toMatchObject({
        code: 'InvalidArgument',
        reason: 'PAGE_TOKEN_INVALID',
      });
    }
  });

  it.each(['', '!', '\u00ff', '__proto__'])(
    'shows nothing that was not asked for, made up of %j',
    async (text) => {
      const { prefix } = await prepared();
      const { services } = await clients.discovery.listServices({
        prefix,
        pageToken: seal(text, bindingOf(prefix)),
      });
      expect(services.every(({ name }) => name.startsWith(prefix))).toBe(true);
    },
  );
});

describe(`a service of ${INSTANCES} instances`, () => {
  it('is found whole, in one answer that every client takes', { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    const idOf = (i: number) => `node-${String(i).padStart(5, '0')}`;
    await writeAll(
      Array.from({ length: INSTANCES }, (_, i) => {
        const value = {
          host: `10.0.${i >> 8}.${i & 255}`,
          port: 8_080,
          metadata: { region: 'eu' },
          zone: 'z1',
        };
        return [`${service}/${idOf(i)}`, JSON.stringify(value)] as const;
      }),
    );
    const found = await clients.discovery.discover({ service });
    expect(found.instances.map(({ instanceId }) => instanceId)).toEqual(
      Array.from({ length: INSTANCES }, (_, i) => idOf(i)),
    );
    expect(toBinary(DiscoverResponseSchema, found).length).toBeLessThan(DEFAULT_MESSAGE_LIMIT);
    const filter = { expression: 'metadata.region == "eu" && instance_id.endsWith("77")' };
    expect((await clients.discovery.discover({ service, filter })).instances).toHaveLength(INSTANCES / 100);
    const { instance } = await clients.discovery.pick({ service });
    expect(instance?.service).toBe(service);
    expect((await listAll(service)).services).toMatchObject([
      { instanceCount: INSTANCES, upCount: INSTANCES },
    ]);
  });
});
