import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { Clock } from '../../../src/domain/clock.ts';
import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import { SteppedImports } from '../../../src/domain/config/stepped-imports.ts';
import { createVault } from '../../../src/domain/config/vault.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { createCipher } from '../../../src/secrets/create-cipher.ts';
import { systemClock } from '../../../src/system-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { applicationName } from './config-replicas.ts';
import { readRawConfig } from './raw-config.ts';

const ITEMS = 5_000;
const TIMEOUT_MS = 180_000;
const LONG = { timeoutMs: 120_000 };
const keys = createConfigKeys('/config');

/** A text of as many items, each with a value that says which import it was. */
function textOf(import_: string, items = ITEMS): string {
  const entries = Array.from({ length: items }, (_, i) => [
    `section/${i}`,
    `${import_} ${i} ${'x'.repeat(60)}`,
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

describe('an Import of more than one transaction takes', { timeout: TIMEOUT_MS }, () => {
  let etcd: TestEtcd;
  let direct: Etcd;
  let gateway: TestGateway;
  let config: Clients['config'];

  beforeAll(async () => {
    etcd = await startEtcd();
    direct = openEtcd({ endpoints: [etcd.endpoint] });
    gateway = await startGateway([etcd.endpoint]);
    ({ config } = openClients(gateway.url));
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    direct?.close();
    await etcd?.stop();
  });

  /** How many keys of imports there are, and whether one of them is a plan that is committed. */
  async function importsNow() {
    const range = keys.imports;
    const { kvs } = await direct.store.read({ kind: 'read', range }, { signal: AbortSignal.timeout(20_000) });
    const plans = kvs
      .filter(({ key }) => keys.isImportPlan(key))
      .map(({ value }) => Buffer.from(value).toString());
    return { count: kvs.length, isCommitted: plans.some((plan) => plan.includes('"committed":true')), plans };
  }

  /** What is in etcd is the whole of an import, each item as one version. */
  async function expectWhole(application: string, import_: string, version: number): Promise<void> {
    const { values, recordedVersions, history } = await readRawConfig(direct, application);
    expect(values.size).toBe(ITEMS);
    expect([...values.values()].filter((value) => !value.startsWith(`${import_} `))).toEqual([]);
    expect(new Set(recordedVersions.values())).toEqual(new Set([version]));
    expect(history).toHaveLength(ITEMS * version);
  }

  it('is written in steps, whole, and leaves nothing of them behind', async () => {
    const application = applicationName();
    const request = { application, format: Format.JSON, author: 'ann' };
    const first = await config.import({ ...request, text: textOf('first') }, LONG);
    expect(first).toMatchObject({ createdCount: ITEMS, unchangedCount: 0 });
    expect(first.stepCount).toBeGreaterThan(1);
    await expectWhole(application, 'first', 1);
    expect((await importsNow()).count).toBe(0);

    const again = await config.import({ ...request, text: textOf('first') }, LONG);
    expect(again).toMatchObject({ createdCount: 0, updatedCount: 0, unchangedCount: ITEMS, stepCount: 0 });
    const dry = await config.import({ ...request, text: textOf('second'), dryRun: true }, LONG);
    expect(dry).toMatchObject({ updatedCount: ITEMS, stepCount: 0 });
    await expectWhole(application, 'first', 1);
    expect((await config.history({ application, key: 'section/7' })).versions).toMatchObject([
      { author: 'ann' },
    ]);
  });

  it('is refused as a whole where one of its items, or what it expects, is wrong', async () => {
    const application = applicationName();
    await config.setSchema({
      application,
      keys: { case: 'keyPattern', value: 'section/**' },
      schema: '{"not": {"pattern": "^first 4321 "}}',
    });
    const request = { application, format: Format.JSON, text: textOf('first') };
    expect(await failureOf(config.import(request, LONG))).toMatchObject({ reason: 'CONFIG_VALUE_INVALID' });
    const { revision } = await config.put({ application, key: 'other', value: '1' });
    await config.put({ application, key: 'other', value: '2' });
    const stale = { ...request, text: textOf('second'), expectedRevision: revision };
    expect(await failureOf(config.import(stale, LONG))).toMatchObject({ reason: 'REVISION_MISMATCH' });
    const fence = { holder: { case: 'lock', value: 'nobody-holds-it' }, token: 1n } as const;
    const fenced = { ...request, text: textOf('third'), fence };
    expect(await failureOf(config.import(fenced, LONG))).toMatchObject({ reason: 'FENCE_LOST' });
    const { values } = await readRawConfig(direct, application);
    expect([...values.keys()]).toEqual(['other']);
    expect((await importsNow()).count).toBe(0);
  });

  it('is finished by another gateway where its own is killed in the middle', async () => {
    const application = applicationName();
    const request = { application, format: Format.JSON };
    await config.import({ ...request, text: textOf('first') }, LONG);
    await using concord = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    const second = { ...request, text: textOf('second'), author: 'bob' };
    const killed = openClients(concord.url)
      .config.import(second, LONG)
      .then(
        () => 'answered',
        () => 'killed',
      );
    // A step or two are taken, and the others are not.
    await eventually(async () => {
      const { isCommitted, count } = await importsNow();
      expect(isCommitted && count > 2).toBe(true);
    }, 60_000);
    concord.signal('SIGKILL');
    expect(await killed).toBe('killed');
    const left = await importsNow();
    expect(left.isCommitted).toBe(true);
    await eventually(async () => expect((await importsNow()).count).toBe(0), 90_000);
    await expectWhole(application, 'second', 2);
    expect((await config.history({ application, key: 'section/4999' })).versions).toMatchObject([
      { author: 'bob', version: 2n },
      { version: 1n },
    ]);
  });

  it('is dropped where its gateway was killed before it was committed', async () => {
    const application = applicationName();
    const id = 'abandoned';
    const plan = `{"application":"${application}","profile":"default","author":"","comment":"","committed":false,"createTime":"${new Date().toISOString()}"}`;
    const success = [
      [keys.importPlan(application, id), plan] as const,
      [keys.importStep(application, id, 0), '[{"key":"a","value":"1"}]'] as const,
    ].map(([key, value]) => ({ kind: 'put', key, value: Buffer.from(value) }) as const);
    const options = { signal: AbortSignal.timeout(20_000) };
    await direct.store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
    // Eleven minutes later.
    const clock: Clock = {
      now: () => systemClock.now(),
      wallMs: () => systemClock.wallMs() + 11 * 60_000,
      soon: (run) => systemClock.soon(run),
      after: (ms, run) => systemClock.after(ms, run),
    };
    using _late = new SteppedImports({
      store: direct.store,
      clock,
      keys,
      vault: createVault(createCipher([])),
      random: () => 0,
      newId: () => 'none',
      edit: () => Promise.reject(new Error('nothing is to be written')),
    });
    await eventually(async () => expect((await importsNow()).count).toBe(0), 60_000);
    expect((await readRawConfig(direct, application)).values.size).toBe(0);
  });
});
