import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { applicationName, type ConfigReplicas, startConfigReplicas } from './config-replicas.ts';
import { writeOutside } from './write-outside.ts';

const QUICK = 100;

describe('what another etcd client does to configuration', () => {
  let replicas: ConfigReplicas;

  beforeAll(async () => {
    replicas = await startConfigReplicas(3);
  });

  afterAll(async () => {
    await replicas?.[Symbol.asyncDispose]();
  });

  /** Each version as `number:value`, the oldest first; of a deletion `number:-`, of a change by Concord `number:value!`. */
  async function historyAt(i: number, application: string, key: string): Promise<readonly string[]> {
    const { versions } = await replicas.client(i).history({ application, key, pageSize: 1_000 });
    return versions.toReversed().map(({ version, value, deleted, external, author }) => {
      expect(author).toBe(external ? '' : 'editor');
      return `${version}:${deleted ? '-' : value}${external ? '' : '!'}`;
    });
  }

  /** Has each gateway write the item once, so that whatever it has to record of others is recorded. */
  async function touchAll(application: string, key: string): Promise<readonly string[]> {
    for (const i of [0, 1, 2])
      await replicas.client(i).put({ application, key, value: `by ${i}`, author: 'editor' });
    return historyAt(0, application, key);
  }

  it.each([0, 1])('is read at once, also from the memory of gateway %i', async (i) => {
    const application = applicationName();
    const config = replicas.client(i);
    const read = async (minRevision: bigint) => {
      const serializable = { consistency: Consistency.SERIALIZABLE, minRevision };
      const [newest, remembered] = await Promise.all(
        [{}, serializable].map((freshness) =>
          config.get({ application, key: 'a/b', ...freshness }).then(
            ({ item }) => [item?.value, item?.author, item?.version],
            (error: unknown) => failureOf(Promise.reject(error)).then(({ reason }) => reason),
          ),
        ),
      );
      expect(remembered).toEqual(newest);
      for (const freshness of [{}, serializable]) {
        const { items } = await config.list({ application, ...freshness });
        const { items: resolved } = await config.resolve({ application, profiles: ['p'], ...freshness });
        expect(resolved.map(({ item }) => item?.value)).toEqual(items.map(({ value }) => value));
        expect(items.map(({ value }) => value)).toEqual(typeof newest === 'string' ? [] : [newest?.[0]]);
      }
      return newest;
    };
    expect(await read(await writeOutside(replicas.direct, application, { 'a/b': '1' }))).toEqual([
      '1',
      '',
      1n,
    ]);
    await eventually(async () => expect(await historyAt(i, application, 'a/b')).toEqual(['1:1']));
    expect(await read(await writeOutside(replicas.direct, application, { 'a/b': '2' }))).toEqual([
      '2',
      '',
      2n,
    ]);
    await eventually(async () => expect(await historyAt(i, application, 'a/b')).toEqual(['1:1', '2:2']));
    const gone = await writeOutside(replicas.direct, application, { 'a/b': undefined });
    expect(await read(gone)).toBe('CONFIG_ITEM_NOT_FOUND');
    await eventually(async () =>
      expect(await historyAt(i, application, 'a/b')).toEqual(['1:1', '2:2', '3:-']),
    );
  });

  it('is in the history once, in order and without a gap, however quickly it happens', async () => {
    const application = applicationName();
    const expected = Array.from({ length: QUICK }, (_, i) => `${i + 1}:${i}`);
    for (let i = 0; i < QUICK; i++) await writeOutside(replicas.direct, application, { k: String(i) });
    await eventually(async () => expect(await historyAt(1, application, 'k')).toEqual(expected));
    const written = [0, 1, 2].map((i) => `${QUICK + 1 + i}:by ${i}!`);
    expect(await touchAll(application, 'k')).toEqual([...expected, ...written]);
  });

  it('is in the history also where it is more than one transaction holds', async () => {
    const application = applicationName();
    const filler = 'x'.repeat(3_000);
    const writes = Array.from({ length: 5 * QUICK }, (_, i) => `${i} ${filler}`);
    await Promise.all(
      [0, 1, 2, 3, 4].map(async (lane) => {
        for (const [i, value] of writes.entries())
          if (i % 5 === lane) await writeOutside(replicas.direct, application, { k: value });
      }),
    );
    await replicas.client(0).put({ application, key: 'k', value: 'last', author: 'editor' });
    const history = (await historyAt(1, application, 'k')).map((each) => each.replace(` ${filler}`, ''));
    expect(history).toHaveLength(writes.length + 1);
    expect(new Set(history.map((each) => each.split(':')[1])).size).toBe(history.length);
    expect(history.map((each) => Number(each.split(':')[0]))).toEqual(history.map((_, i) => i + 1));
  }, 60_000);

  it('is in the history with what comes and goes at once', async () => {
    const application = applicationName();
    const expected: string[] = [];
    for (let i = 0; i < 20; i++) {
      await writeOutside(replicas.direct, application, { k: `a${i}` });
      await writeOutside(replicas.direct, application, { k: `b${i}` });
      await writeOutside(replicas.direct, application, { k: undefined });
      expected.push(`a${i}`, `b${i}`, '-');
    }
    const versions = expected.map((each, i) => `${i + 1}:${each}`);
    await eventually(async () => expect(await historyAt(1, application, 'k')).toEqual(versions));
    const written = [0, 1, 2].map((i) => `${versions.length + 1 + i}:by ${i}!`);
    expect(await touchAll(application, 'k')).toEqual([...versions, ...written]);
  });

  it('is in the history between what Concord writes to the same key meanwhile', async () => {
    const application = applicationName();
    const key = 'k';
    const expected = new Map<bigint, string>();
    const others = (async () => {
      for (let i = 0; i < QUICK; i++)
        expected.set(await writeOutside(replicas.direct, application, { [key]: `o${i}` }), `o${i}`);
    })();
    const own = [0, 1].map(async (caller) => {
      for (let i = 0; i < QUICK / 4; i++) {
        const value = `c${caller}-${i}`;
        const { revision } = await replicas
          .client(caller + i)
          .put({ application, key, value, author: 'editor' });
        expected.set(revision, `${value}!`);
      }
    });
    await Promise.all([others, ...own]);
    const inOrder = [...expected].sort(([a], [b]) => Number(a - b)).map(([, value]) => value);
    const versions = inOrder.map((each, i) => `${i + 1}:${each}`);
    await eventually(async () => expect(await historyAt(2, application, key)).toEqual(versions));
    const written = [0, 1, 2].map((i) => `${versions.length + 1 + i}:by ${i}!`);
    expect(await touchAll(application, key)).toEqual([...versions, ...written]);
  }, 60_000);

  it('keeps what the item is written as, where it still is that, and when it happened', async () => {
    const application = applicationName();
    const [config, before] = [replicas.client(0), Date.now()];
    await config.import({ application, format: Format.JSON, text: '{"n":1,"m":1}', author: 'editor' });
    const revision = await writeOutside(replicas.direct, application, { n: '2', m: 'two' });
    const versions = await eventually(async () => {
      const all = await Promise.all(
        ['n', 'm'].map((key) => config.getVersion({ application, key, version: 2n })),
      );
      return all.map(({ version }) => version);
    });
    expect(versions).toMatchObject([
      { value: '2', contentType: ContentType.NUMBER, external: true, revision },
      { value: 'two', contentType: ContentType.TEXT, external: true, revision },
    ]);
    const { updateTime } = versions[0] ?? expect.fail();
    expect(Number(updateTime?.seconds) * 1_000).toBeGreaterThan(before - 2_000);
    expect((await config.get({ application, key: 'n' })).item?.revision).toBe(revision);
    const stale = config.put({ application, key: 'n', value: '3', expectedRevision: revision - 1n });
    expect(await failureOf(stale)).toMatchObject({
      reason: 'REVISION_MISMATCH',
      metadata: { author: '', version: '2', actual_revision: String(revision) },
    });
  });
});

describe('a gateway that was down', () => {
  it('finds on its return what others have changed', async () => {
    await using replicas = await startConfigReplicas(1);
    const application = applicationName();
    const [first] = replicas.gateways;
    const config = replicas.client(0);
    await config.put({ application, key: 'kept', value: '1', author: 'editor' });
    await config.put({ application, key: 'gone', value: '1', author: 'editor' });
    await first?.app.drain();
    await writeOutside(replicas.direct, application, { kept: '2', gone: undefined, made: '1' });
    await writeOutside(replicas.direct, application, { made: '2' });
    await using second = await startGateway([replicas.etcd.endpoint]);
    const returned = openClients(second.url).config;
    const versions = async (key: string) =>
      (await returned.history({ application, key })).versions.map(
        ({ value, deleted, external, version }) => ({
          value,
          deleted,
          external,
          version,
        }),
      );
    const old = { value: '1', deleted: false, external: false, version: 1n };
    await eventually(async () => {
      expect(await versions('kept')).toEqual([
        { value: '2', deleted: false, external: true, version: 2n },
        old,
      ]);
      expect(await versions('gone')).toEqual([
        { value: '', deleted: true, external: true, version: 2n },
        old,
      ]);
      expect(await versions('made')).toMatchObject([{ value: '2', external: true }]);
    });
  });
});
