import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigChange_Type, type ConfigItem } from '../../../gen/concord/config/v1/config_item_pb.ts';
import type { WatchResponse } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type ConfigClient, describeItem, openConfigWatch } from './config-watch.ts';
import { writeOutside } from './write-outside.ts';

const PROFILES = ['prod', 'prod-eu'];
const KEYS = ['a', 'b', 'c'];
const RUNS = 25;

const key = fc.constantFrom(...KEYS);
const profile = fc.constantFrom('default', ...PROFILES, 'test');
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), profile, key }),
  fc.record({ kind: fc.constant('delete' as const), profile, key }),
  fc.record({
    kind: fc.constant('publish' as const),
    profile,
    puts: fc.uniqueArray(key, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('outside' as const), key, isDeletion: fc.boolean() }),
  fc.record({ kind: fc.constant('reconnect' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

let etcd: TestEtcd;
let gateways: readonly TestGateway[];
let direct: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
  gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
  direct = openEtcd({ endpoints: [etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
  await etcd?.stop();
});

async function take(config: ConfigClient, application: string, step: Step): Promise<unknown> {
  const value = randomUUID();
  switch (step.kind) {
    case 'put':
      return config.put({ application, profile: step.profile, key: step.key, value });
    case 'delete':
      return config.delete({ application, profile: step.profile, key: step.key });
    case 'publish':
      return config.publish({
        application,
        profile: step.profile,
        puts: step.puts.map((each) => ({ key: each, value })),
        deletes: KEYS.filter((each) => !step.puts.includes(each)),
      });
    case 'outside':
      return writeOutside(direct, application, { [step.key]: step.isDeletion ? undefined : value });
    case 'reconnect':
  }
}

/** What a subscriber holds who takes every message at its word. */
function fold(messages: readonly WatchResponse[]): readonly string[] {
  const held = new Map<string, ConfigItem>();
  for (const { items, changes } of messages) {
    for (const item of items) held.set(item.key, item);
    for (const { type, item } of changes) {
      if (item === undefined) throw new Error('a change of nothing');
      if (type === ConfigChange_Type.DELETED) held.delete(item.key);
      else held.set(item.key, item);
    }
  }
  return [...held.values()].map(describeItem).sort();
}

describe('a subscriber to the effective configuration', () => {
  it('holds what Resolve answers after each of any changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const application = randomUUID();
        const clients = gateways.map(({ url }) => openClients(url).config);
        const request = { application, profiles: PROFILES, effective: true };
        const before: WatchResponse[] = [];
        const at = (i: number) => clients[i % clients.length] ?? expect.fail();
        let watch = openConfigWatch(at(0), request);
        try {
          await watch.opened;
          for (const [i, each] of steps.entries()) {
            await take(at(i), application, each);
            if (each.kind === 'reconnect') {
              const resumeToken = watch.token();
              await watch[Symbol.asyncDispose]();
              before.push(...watch.messages);
              watch = openConfigWatch(at(i), { ...request, resumeToken });
            }
            await eventually(async () => {
              const { items } = await at(i + 1).resolve({ application, profiles: PROFILES });
              const resolved = items.map(({ item }) => (item === undefined ? '' : describeItem(item)));
              expect(fold([...before, ...watch.messages])).toEqual(resolved.sort());
            });
          }
          const changes = [...before, ...watch.messages].flatMap((message) => message.changes);
          for (const { item, previous } of changes)
            expect(previous === undefined || previous.value !== item?.value).toBe(true);
        } finally {
          await watch[Symbol.asyncDispose]();
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
