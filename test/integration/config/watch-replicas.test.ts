import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type ConfigClient, describeItem } from './config-watch.ts';
import { ConfigWatchRecorder } from './config-watch-recorder.ts';
import { readVersions } from './read-versions.ts';
import { writeOutside } from './write-outside.ts';

const KEYS = ['a', 'b', 'c', 'd'];
const ROUNDS = 12;
const TIMEOUT_MS = 90_000;

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

function clientOf(i: number): ConfigClient {
  const gateway = gateways[i % gateways.length];
  if (gateway === undefined) throw new Error('there is no gateway');
  return openClients(gateway.url).config;
}

/** Writes one after another until it is stopped. */
function startWriting(write: (round: number) => Promise<unknown>): { stop(): Promise<void> } {
  let isStopping = false;
  const writing = (async () => {
    for (let round = 0; !isStopping; round++) await write(round);
  })();
  return {
    async stop() {
      isStopping = true;
      await writing;
    },
  };
}

describe('a subscriber that is cut off again and again while others write', () => {
  it.each([
    ['through two gateways', false],
    ['through two gateways and past them', true],
  ])(
    'gets every change once, in order, of those who write %s',
    async (_, isOutside) => {
      const application = randomUUID();
      const keyOf = (round: number) => KEYS[round % KEYS.length] ?? '';
      const write = (client: ConfigClient) => async (round: number) => {
        const key = keyOf(round);
        if (round % 7 === 6) return client.delete({ application, key });
        if (round % 5 !== 4) return client.put({ application, key, value: randomUUID() });
        const puts = KEYS.slice(0, 3).map((each) => ({ key: each, value: randomUUID() }));
        return client.publish({ application, profile: 'prod', puts, deletes: KEYS.slice(3) });
      };
      const outside = (round: number) =>
        writeOutside(direct, application, {
          [keyOf(round)]: round % 6 === 5 ? undefined : randomUUID(),
        });
      const recorder = new ConfigWatchRecorder();
      const watch = async (i: number, isEnough: () => boolean) => {
        const { resumeToken } = recorder;
        const controller = new AbortController();
        const request = { application, profiles: ['prod'], resumeToken };
        const following = recorder.follow(clientOf(i).watch(request, { signal: controller.signal }));
        await eventually(() => expect(isEnough()).toBe(true), 30_000);
        controller.abort();
        await following;
      };
      await watch(0, () => recorder.revision > 0n);
      const writers = [
        startWriting(write(clientOf(0))),
        startWriting(write(clientOf(1))),
        ...(isOutside ? [startWriting(outside)] : []),
      ];
      for (let round = 0; round < ROUNDS; round++) {
        const { length } = recorder.told;
        await watch(round, () => recorder.told.length > length + 20);
        // Cut again as soon as it has come back.
        const { resumeToken } = recorder;
        await watch(round + 1, () => recorder.resumeToken !== resumeToken);
      }
      for (const writer of writers) await writer.stop();
      const { revision } = await clientOf(0).put({ application, key: 'last' });
      await watch(0, () => recorder.revision >= revision);

      expect(recorder.faults).toEqual([]);
      expect(recorder.resyncCount).toBe(0);
      const versions = await readVersions(clientOf(1), application, ['default', 'prod'], [...KEYS, 'last']);
      expect(recorder.told.toSorted()).toEqual(versions.toSorted());
      const listed = await Promise.all(
        ['default', 'prod'].map((profile) => clientOf(1).list({ application, profile })),
      );
      expect(recorder.state).toEqual(listed.flatMap(({ items }) => items.map(describeItem)).sort());
    },
    TIMEOUT_MS,
  );
});
