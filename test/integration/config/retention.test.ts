import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import { Retention } from '../../../src/domain/config/retention.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { FakeClock } from '../../unit/watch/fake-clock.ts';
import { applicationName, type ConfigReplicas, startConfigReplicas } from './config-replicas.ts';
import { type RawVersion, readRawConfig } from './raw-config.ts';
import { writeOutside } from './write-outside.ts';

const MAX_COUNT = 20;
const KEYS = ['a', 'b', 'c', 'd', 'e'];
const HOUR_MS = 3_600_000;

let replicas: ConfigReplicas;

beforeAll(async () => {
  replicas = await startConfigReplicas(2, { CONCORD_CONFIG_HISTORY_COUNT: String(MAX_COUNT) });
});

afterAll(async () => {
  await replicas?.[Symbol.asyncDispose]();
});

async function historyOf(application: string): Promise<readonly RawVersion[]> {
  return (await readRawConfig(replicas.direct, application)).history;
}

/** The versions of each key that are kept. */
function versionsByKey(history: readonly RawVersion[]): ReadonlyMap<string, readonly number[]> {
  const versions = new Map<string, number[]>();
  for (const { key, version } of history) versions.set(key, [...(versions.get(key) ?? []), version]);
  return versions;
}

/** Returns what is kept, to be compared with. */
async function keptOf(application: string): Promise<Readonly<Record<string, readonly number[]>>> {
  return Object.fromEntries(versionsByKey(await historyOf(application)));
}

describe('the count of versions of an application', () => {
  it('stays bounded, also while it is written to; the newest of each item is kept', async () => {
    const application = applicationName();
    let isEnough = false;
    const newest = new Map<string, bigint>();
    const writing = KEYS.map(async (key, k) => {
      for (let i = 0; !isEnough; i++) {
        const { item } = await replicas.client(k + i).put({ application, key, value: String(i) });
        newest.set(key, item?.version ?? 0n);
      }
    });
    const written = () => [...newest.values()].reduce((sum, version) => sum + Number(version), 0);
    try {
      await eventually(async () => {
        const { values, recordedVersions, history } = await readRawConfig(replicas.direct, application);
        const kept = versionsByKey(history);
        for (const key of values.keys()) expect(kept.get(key)?.at(-1)).toBe(recordedVersions.get(key));
        expect(written()).toBeGreaterThan(10 * MAX_COUNT);
        expect(history.length).toBeLessThan(written() / 2);
      }, 40_000);
    } finally {
      isEnough = true;
      await Promise.all(writing);
    }
    const history = await eventually(async () => {
      const kept = await historyOf(application);
      expect(kept.length).toBeLessThanOrEqual(MAX_COUNT + MAX_COUNT / 5);
      return kept;
    });
    expect(history.length).toBeGreaterThanOrEqual(MAX_COUNT);
    for (const [key, versions] of versionsByKey(history))
      expect(versions.at(-1)).toBe(Number(newest.get(key)));
  }, 60_000);

  it('drops the oldest first, of whichever item, and no item’s newest', async () => {
    const application = applicationName();
    const config = replicas.client(0);
    await config.put({ application, key: 'early', value: '1' });
    for (let i = 0; i < 3; i++) await config.put({ application, key: 'middle', value: String(i) });
    for (let i = 0; i < 3 * MAX_COUNT; i++) await config.put({ application, key: 'late', value: String(i) });
    const kept = await eventually(async () => {
      const history = await historyOf(application);
      expect(history.length).toBeLessThanOrEqual(MAX_COUNT + MAX_COUNT / 10);
      return versionsByKey(history);
    });
    expect([kept.get('early'), kept.get('middle')]).toEqual([[1], [3]]);
    expect(kept.get('late')?.at(-1)).toBe(3 * MAX_COUNT);
    const gone = config.getVersion({ application, key: 'late', version: 1n });
    expect(await failureOf(gone)).toMatchObject({ reason: 'CONFIG_VERSION_NOT_FOUND' });
    const { versions } = await config.history({ application, key: 'late' });
    expect(versions.map(({ version }) => Number(version))).toEqual(kept.get('late')?.toReversed());
    const { item } = await config.put({ application, key: 'late', value: 'next' });
    expect(item?.version).toBe(BigInt(3 * MAX_COUNT + 1));
  });

  it('keeps one version of each item, however many there are', async () => {
    const application = applicationName();
    const keys = Array.from({ length: 2 * MAX_COUNT }, (_, i) => `k${i}`);
    for (const value of ['1', '2', '3'])
      await replicas.client(0).publish({ application, puts: keys.map((key) => ({ key, value })) });
    await eventually(async () =>
      expect(await keptOf(application)).toEqual(Object.fromEntries(keys.map((key) => [key, [3]]))),
    );
  });

  it('counts what other etcd clients write, and each application by itself', async () => {
    const [application, other] = [applicationName(), applicationName()];
    await replicas.client(0).put({ application: other, key: 'k', value: '1' });
    await replicas.client(0).put({ application: other, key: 'k', value: '2' });
    for (let i = 0; i < 3 * MAX_COUNT; i++)
      await writeOutside(replicas.direct, application, { k: String(i) });
    await eventually(async () => {
      const history = await historyOf(application);
      expect(history.length).toBeLessThanOrEqual(MAX_COUNT + MAX_COUNT / 10);
      expect(history.at(-1)).toMatchObject({ value: String(3 * MAX_COUNT - 1), version: 3 * MAX_COUNT });
    });
    expect(await keptOf(other)).toEqual({ k: [1, 2] });
  });
});

describe('the age of versions', () => {
  const signal = AbortSignal.timeout(120_000);

  /** A retention of an hour, whose clock agrees with that of the gateways until it is advanced. */
  function retentionOf(application: string) {
    const clock = new FakeClock();
    clock.advance(Date.now());
    const { store } = replicas.direct;
    const keys = createConfigKeys('/config');
    const applications = () => [application];
    const retention = new Retention(
      { store, clock, keys, random: () => 1, applications },
      { maxCount: 1_000, maxAgeMs: HOUR_MS },
    );
    return { clock, retention };
  }

  async function writeItems(application: string): Promise<void> {
    const config = replicas.client(0);
    for (const value of ['1', '2']) await config.put({ application, key: 'kept', value });
    await config.put({ application, key: 'gone', value: '1' });
    await config.delete({ application, key: 'gone' });
    for (const value of ['1', '2']) await config.put({ application, key: 'back', value });
    await config.delete({ application, key: 'back' });
    await config.put({ application, key: 'back', value: '4' });
  }

  it('is bounded: of what is too old the newest of each item that is there is kept, of one that was deleted nothing', async () => {
    const application = applicationName();
    const { clock, retention } = retentionOf(application);
    using _retention = retention;
    await writeItems(application);
    await retention.sweep(application, { signal });
    const all = { back: [1, 2, 3, 4], gone: [1, 2], kept: [1, 2] };
    expect(await keptOf(application)).toEqual(all);
    clock.advance(2 * HOUR_MS);
    await retention.sweep(application, { signal });
    const { values, recordedVersions, history } = await readRawConfig(replicas.direct, application);
    expect(Object.fromEntries(versionsByKey(history))).toEqual({ back: [4], kept: [2] });
    expect([...values.keys()]).toEqual(['back', 'kept']);
    expect([...recordedVersions]).toEqual([
      ['back', 4],
      ['kept', 2],
    ]);
    const { item } = await replicas.client(1).put({ application, key: 'gone', value: 'new' });
    expect(item).toMatchObject({ version: 1n, value: 'new' });
  });

  it('is looked at now and then, though nothing is written', async () => {
    const application = applicationName();
    const { clock, retention } = retentionOf(application);
    using _retention = retention;
    await writeItems(application);
    clock.advance(2 * HOUR_MS);
    await eventually(async () => {
      clock.advance(1_000);
      expect(await keptOf(application)).toEqual({ back: [4], kept: [2] });
    });
  });

  it('does not forget an item that is there again', async () => {
    const application = applicationName();
    const { clock, retention } = retentionOf(application);
    using _retention = retention;
    const config = replicas.client(0);
    await config.put({ application, key: 'k', value: '1' });
    await config.delete({ application, key: 'k' });
    clock.advance(2 * HOUR_MS);
    const values = Array.from({ length: 10 }, (_, i) => String(i));
    await Promise.all([
      retention.sweep(application, { signal }),
      ...values.map((value) => replicas.client(1).put({ application, key: 'k', value })),
    ]);
    const { item } = await config.get({ application, key: 'k' });
    const versions = versionsByKey(await historyOf(application));
    expect(versions.get('k')?.at(-1)).toBe(Number(item?.version));
    expect((await readRawConfig(replicas.direct, application)).recordedVersions.get('k')).toBe(
      versions.get('k')?.at(-1),
    );
  });
});
