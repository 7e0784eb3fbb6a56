import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startCallers } from '../../support/start-callers.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { applicationName } from './config-replicas.ts';
import { readRawConfig } from './raw-config.ts';

const PUBLISHES = 1_000;
const CALLERS = 4;
const KEYS = ['a', 'b', 'c', 'd', 'e'];

describe('Publish', () => {
  let etcd: TestEtcd;
  let direct: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd();
    direct = openEtcd({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  /** Publishes, each of a number of its own under all keys, until a thousand are confirmed. */
  class Publishes {
    readonly application = applicationName();
    readonly confirmed = new Set<number>();
    #next = 0;

    get isDone(): boolean {
      return this.confirmed.size >= PUBLISHES;
    }

    /** `goesOn`: whether a caller makes another call after one that failed. */
    start(config: Clients['config'], goesOn: boolean) {
      const call = async () => {
        const number = this.#next++;
        const puts = KEYS.map((key) => ({ key, value: String(number) }));
        await config.publish(
          { application: this.application, puts, author: String(number) },
          { timeoutMs: 10_000 },
        );
        this.confirmed.add(number);
      };
      return startCallers({
        count: CALLERS,
        call,
        goesOn: ({ error }) => !this.isDone && (error === undefined || goesOn),
      });
    }

    async reaches(count: number): Promise<void> {
      await eventually(() => expect(this.confirmed.size).toBeGreaterThanOrEqual(count), 60_000);
    }
  }

  /** Each publish is there as a whole, or not at all; each that was confirmed is there. */
  async function expectWhole({ application, confirmed }: Publishes): Promise<void> {
    const { values, recordedVersions, history } = await readRawConfig(direct, application);
    const byVersion = new Map<number, typeof history>();
    for (const entry of history)
      byVersion.set(entry.version, [...(byVersion.get(entry.version) ?? []), entry]);
    const versions = [...byVersion.keys()].sort((a, b) => a - b);
    expect(versions).toEqual(versions.map((_, i) => i + 1));
    for (const entries of byVersion.values()) {
      expect(entries.map(({ key }) => key)).toEqual(KEYS);
      expect(new Set(entries.map(({ value }) => value)).size).toBe(1);
      expect(new Set(entries.map(({ revision }) => revision)).size).toBe(1);
    }
    const written = [...byVersion.values()].map(([entry]) => Number(entry?.value));
    expect(new Set(written).size).toBe(written.length);
    expect([...confirmed].filter((number) => !written.includes(number))).toEqual([]);
    const newest = byVersion.get(versions.length)?.[0]?.value;
    expect([...values]).toEqual(KEYS.map((key) => [key, newest]));
    expect([...recordedVersions]).toEqual(KEYS.map((key) => [key, versions.length]));
  }

  it('is whole or absent where its gateway is killed', async () => {
    const publishes = new Publishes();
    for (const count of [150, 400, 650]) {
      await using gateway = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const callers = publishes.start(openClients(gateway.url).config, false);
      await publishes.reaches(count);
      gateway.signal('SIGKILL');
      await callers.ended;
      expect(publishes.isDone).toBe(false);
      await expectWhole(publishes);
    }
    await using last = await startGateway([etcd.endpoint]);
    const config = openClients(last.url).config;
    await publishes.start(config, false).ended;
    await expectWhole(publishes);
    expect(publishes.isDone).toBe(true);
    const { application } = publishes;
    const { versions } = await config.history({ application, key: 'a', pageSize: 1_000 });
    expect(versions.some(({ external }) => external)).toBe(false);
  }, 120_000);

  it('is whole or absent where etcd is killed', async () => {
    await using gateway = await startGateway([etcd.endpoint]);
    const { config } = openClients(gateway.url);
    const publishes = new Publishes();
    const callers = publishes.start(config, true);
    for (const count of [100, 250, 400]) {
      await publishes.reaches(count);
      await etcd.kill();
      await etcd.restart();
    }
    await callers.ended;
    expect(publishes.isDone).toBe(true);
    await expectWhole(publishes);
    const { application } = publishes;
    await config.put({ application, key: 'after', value: '1' });
    const { versions } = await config.history({ application, key: 'a', pageSize: 1_000 });
    expect(versions.some(({ external }) => external)).toBe(false);
  }, 120_000);
});
