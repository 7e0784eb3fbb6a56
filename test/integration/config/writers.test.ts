import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigVersion } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { applicationName, type ConfigReplicas, startConfigReplicas } from './config-replicas.ts';

const WRITERS = 20;
const WRITES = 10;
const KEYS = 4;

/** What a writer was told is written. */
interface Written {
  readonly key: string;
  readonly value: string;
  readonly version: number;
  readonly revision: bigint;
}

describe('20 writers at two gateways', () => {
  let replicas: ConfigReplicas;

  beforeAll(async () => {
    replicas = await startConfigReplicas(2);
  });

  afterAll(async () => {
    await replicas?.[Symbol.asyncDispose]();
  });

  /** Has each write one after another, all at the same time. */
  async function writeAll(
    write: (writer: number, i: number) => Promise<readonly Written[]>,
    writes = WRITES,
  ): Promise<readonly Written[]> {
    const written = await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const own: Written[] = [];
        for (let i = 0; i < writes; i++) own.push(...(await write(writer, i)));
        return own;
      }),
    );
    return written.flat();
  }

  async function historyOf(application: string, key: string): Promise<readonly ConfigVersion[]> {
    const { versions } = await replicas.client(0).history({ application, key, pageSize: 1_000 });
    return versions.toReversed();
  }

  /** Each of what was written is in the history once, and nothing else is; versions have no gap. */
  async function expectWhole(application: string, written: readonly Written[]): Promise<void> {
    for (const key of new Set(written.map((each) => each.key))) {
      const versions = await historyOf(application, key);
      expect(versions.map(({ version }) => Number(version))).toEqual(versions.map((_, i) => i + 1));
      expect(
        versions.map(({ version, value, revision }) => ({ key, value, version: Number(version), revision })),
      ).toEqual(written.filter((each) => each.key === key).sort((a, b) => a.version - b.version));
      expect(versions.some(({ external }) => external)).toBe(false);
      const { item } = await replicas.client(1).get({ application, key });
      expect(item).toMatchObject({ value: versions.at(-1)?.value, version: versions.at(-1)?.version });
    }
  }

  async function put(
    application: string,
    key: string,
    writer: number,
    i: number,
  ): Promise<readonly Written[]> {
    const value = `${writer}-${i}`;
    const { item } = await replicas.client(writer + i).put({ application, key, value, author: `w${writer}` });
    const { version, revision } = item ?? expect.fail();
    return [{ key, value, version: Number(version), revision }];
  }

  it('of one key give it one version each', async () => {
    const application = applicationName();
    await expectWhole(application, await writeAll((writer, i) => put(application, 'k', writer, i)));
  }, 90_000);

  it('of different keys do not stand in each other’s way', async () => {
    const application = applicationName();
    await expectWhole(application, await writeAll((writer, i) => put(application, `k${writer}`, writer, i)));
    const { items } = await replicas.client(0).list({ application });
    expect(items.map(({ value }) => value).toSorted()).toEqual(
      Array.from({ length: WRITERS }, (_, writer) => `${writer}-${WRITES - 1}`).toSorted(),
    );
  }, 60_000);

  it('of sets of keys that overlap write each set whole', async () => {
    const application = applicationName();
    const written = await writeAll(async (writer, i) => {
      const keys = Array.from({ length: KEYS }, (_, k) => `k${(writer + k) % 10}`);
      const puts = keys.map((key) => ({ key, value: `${writer}-${i}` }));
      const { changes, revision } = await replicas.client(writer).publish({ application, puts });
      expect(changes).toHaveLength(KEYS);
      return changes.map(({ item }) => {
        const { key, value, version } = item ?? expect.fail();
        expect(item?.revision).toBe(revision);
        return { key, value, version: Number(version), revision };
      });
    }, 5);
    await expectWhole(application, written);
  }, 90_000);

  it('who expect what they have read lose nothing: one of all that expect the same writes', async () => {
    const application = applicationName();
    const key = 'counter';
    await replicas.client(0).put({ application, key, value: '0' });
    let refused = 0;
    await writeAll(async (writer, i) => {
      for (;;) {
        const { item } = await replicas.client(writer).get({ application, key });
        const { value, revision } = item ?? expect.fail();
        const write = replicas
          .client(writer + i)
          .put({ application, key, value: String(Number(value) + 1), expectedRevision: revision });
        const error = await write.then(
          () => undefined,
          (thrown: unknown) => failureOf(Promise.reject(thrown)),
        );
        if (error === undefined) return [];
        expect(error.reason).toBe('REVISION_MISMATCH');
        refused++;
      }
    }, 3);
    expect(refused).toBeGreaterThan(0);
    const { item } = await replicas.client(1).get({ application, key });
    expect(item).toMatchObject({ value: String(3 * WRITERS), version: BigInt(3 * WRITERS + 1) });
  }, 90_000);

  it('and deleters of one key give each change one version', async () => {
    const application = applicationName();
    const told = await writeAll(async (writer, i) => {
      if (writer % 2 === 0) return put(application, 'k', writer, i);
      const { version, revision, deleted } = await replicas
        .client(writer + i)
        .delete({ application, key: 'k' });
      return deleted ? [{ key: 'k', value: '', version: Number(version), revision }] : [];
    });
    const versions = await historyOf(application, 'k');
    expect(
      versions.map(({ version, value, revision }) => ({
        key: 'k',
        value,
        version: Number(version),
        revision,
      })),
    ).toEqual(told.toSorted((a, b) => a.version - b.version));
    expect(versions.map(({ version }) => Number(version))).toEqual(versions.map((_, i) => i + 1));
    expect(versions.every(({ deleted, value }) => deleted === (value === ''))).toBe(true);
  }, 90_000);

  it('of whole profiles that expect a revision overwrite nothing unknowingly', async () => {
    const application = applicationName();
    const first = await replicas.client(0).publish({ application, puts: [{ key: 'k', value: '0' }] });
    const outcomes = await Promise.all(
      Array.from({ length: WRITERS }, (_, writer) => {
        const puts = [{ key: `k${writer}`, value: String(writer) }];
        const request = { application, puts, author: `w${writer}`, expectedRevision: first.revision };
        return replicas
          .client(writer)
          .publish(request)
          .then(
            () => ({ author: `w${writer}`, error: undefined }),
            async (thrown: unknown) => ({ author: '', error: await failureOf(Promise.reject(thrown)) }),
          );
      }),
    );
    const [winner, ...others] = outcomes.filter(({ error }) => error === undefined);
    expect(others).toEqual([]);
    for (const { error } of outcomes)
      if (error !== undefined)
        expect(error).toMatchObject({
          reason: 'REVISION_MISMATCH',
          metadata: { author: winner?.author, version: '1' },
        });
    expect((await replicas.client(1).list({ application })).items).toHaveLength(2);
  }, 60_000);
});
