import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigItem } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName } from './stored-keys.ts';
import { writeOutside } from './write-outside.ts';

const EDITORS = 12;
const ROUNDS = 12;
const TIMEOUT_MS = 60_000;

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

/** Ways to write a value, each of which returns the revision at which it did. */
const WRITES = [
  {
    name: 'put',
    write: async (application: string, key: string, value: string) =>
      (await config.put({ application, key, value })).revision,
  },
  {
    name: 'written by another etcd client',
    write: (application: string, key: string, value: string) =>
      writeOutside(direct, application, { [key]: value }),
  },
];

/** Ways to read, of which none may return what is older than `minRevision`. */
const READS = {
  get: async (application: string, key: string, minRevision: bigint) => {
    const consistency = Consistency.SERIALIZABLE;
    const { item, revision } = await config.get({ application, key, minRevision, consistency });
    return { items: item === undefined ? [] : [item], revision };
  },
  list: (application: string, _: string, minRevision: bigint) =>
    config.list({ application, minRevision, consistency: Consistency.SERIALIZABLE }),
  resolve: (application: string, _: string, minRevision: bigint) =>
    resolved({ application, profiles: ['prod'], minRevision, consistency: Consistency.SERIALIZABLE }),
  'resolve, linearizable,': (application: string) => resolved({ application, profiles: ['prod'] }),
};

async function resolved(
  request: Parameters<Clients['config']['resolve']>[0],
): Promise<{ readonly items: readonly ConfigItem[]; readonly revision: bigint }> {
  const { items, revision } = await config.resolve(request);
  return { items: items.flatMap(({ item }) => item ?? []), revision };
}

describe('what is read while many write', () => {
  it.each(WRITES)(
    'shows what was $name before it was asked for, at no revision before that',
    async ({ write }) => {
      const application = applicationName();
      const edit = async (key: string) => {
        for (let round = 1; round <= ROUNDS; round += 1) {
          const written = await write(application, key, String(round));
          const answers = await Promise.all(
            Object.entries(READS).map(async ([read, ask]) => ({
              read,
              ...(await ask(application, key, written)),
            })),
          );
          for (const { read, items, revision } of answers) {
            const value = items.find((item) => item.key === key)?.value;
            expect({ read, value, isOld: revision < written }).toEqual({
              read,
              value: String(round),
              isOld: false,
            });
          }
        }
      };
      await Promise.all(Array.from({ length: EDITORS }, (_, editor) => edit(`k${editor}`)));
    },
    TIMEOUT_MS,
  );
});
