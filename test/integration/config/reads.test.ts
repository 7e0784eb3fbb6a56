import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { failuresOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { applicationName } from './stored-keys.ts';

const ROUNDS = 200;
const TIMEOUT_MS = 120_000;
const { LINEARIZABLE, SERIALIZABLE } = Consistency;

describe('what is read at another gateway than where it was written', { timeout: TIMEOUT_MS }, () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[] = [];
  let writing: Clients['config'];
  let reading: Clients['config'];

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = await Promise.all([0, 1].map(() => startGateway([etcd.endpoint])));
    [writing, reading] = gateways.map(({ url }) => openClients(url).config) as [
      typeof writing,
      typeof reading,
    ];
  });

  afterAll(async () => {
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it(`is what was written, in ${ROUNDS} rounds, at once and from memory alike`, async () => {
    const application = applicationName();
    for (let round = 0; round < ROUNDS; round++) {
      const value = String(round);
      const name = { application, key: `k${round % 3}` };
      const { revision: minRevision } = await writing.put({ ...name, value });
      const known = { minRevision, consistency: SERIALIZABLE };
      const [got, listed, resolved, newest, all] = await Promise.all([
        reading.get({ ...name, ...known }),
        reading.list({ application, ...known }),
        reading.resolve({ application, ...known }),
        reading.get(name),
        reading.resolve({ application }),
      ]);
      for (const { revision } of [got, listed, resolved, newest, all])
        expect(revision).toBeGreaterThanOrEqual(minRevision);
      expect(got.item).toMatchObject({ value, revision: minRevision });
      expect(newest.item).toEqual(got.item);
      expect(listed.items.find(({ key }) => key === name.key)).toEqual(got.item);
      expect(resolved.items.find(({ item }) => item?.key === name.key)?.item).toEqual(got.item);
      expect(all.items).toEqual(resolved.items);
    }
  });

  it(`is gone where it was deleted, in ${ROUNDS / 4} rounds`, async () => {
    const name = { application: applicationName(), key: 'k' };
    const { application } = name;
    for (let round = 0; round < ROUNDS / 4; round++) {
      await writing.put(name);
      const { revision: minRevision } = await writing.delete(name);
      const known = { minRevision, consistency: SERIALIZABLE };
      for (const failure of await failuresOf([reading.get({ ...name, ...known }), reading.get(name)]))
        expect(failure).toMatchObject({ reason: 'CONFIG_ITEM_NOT_FOUND' });
      expect((await reading.list({ application, ...known })).items).toEqual([]);
      expect((await reading.listApplications({ prefix: application, ...known })).applications).toEqual([]);
      expect((await reading.listApplications({ prefix: application })).applications).toEqual([]);
    }
  });

  it('is never older than the revision that an answer has', async () => {
    const application = applicationName();
    const puts = ['a', 'b'];
    let isDone = false;
    const write = async () => {
      for (let i = 0; i < ROUNDS; i++)
        await writing.publish({ application, puts: puts.map((key) => ({ key, value: String(i) })) });
      isDone = true;
    };
    const read = async () => {
      let last = 0n;
      while (!isDone) {
        const answer = await reading.list({ application, consistency: SERIALIZABLE });
        expect(answer.revision).toBeGreaterThanOrEqual(last);
        last = answer.revision;
        // What is written at one revision is seen as a whole.
        expect(new Set(answer.items.map(({ value, revision }) => `${value} ${revision}`)).size).toBeLessThan(
          2,
        );
        for (const { revision } of answer.items) expect(revision).toBeLessThanOrEqual(last);
      }
    };
    await Promise.all([write(), read(), read()]);
  });

  it('is refused where it is to be as of a revision that the store has not reached', async () => {
    const application = applicationName();
    const { revision } = await writing.put({ application, key: 'k' });
    for (const consistency of [LINEARIZABLE, SERIALIZABLE]) {
      const future = { minRevision: revision + 1_000n, consistency };
      for (const failure of await failuresOf([
        reading.get({ application, key: 'k', ...future }),
        reading.list({ application, ...future }),
        reading.listApplications(future),
        reading.resolve({ application, ...future }),
        reading.getSchema({ application, ...future }),
      ]))
        expect(failure).toMatchObject({ code: 'OutOfRange', reason: 'REVISION_IN_FUTURE' });
    }
  });
});
