import { beforeEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../src/domain/discovery/probe.ts';
import { Probing } from '../../../src/domain/discovery/probing.ts';
import { renewedKey } from '../../../src/domain/lease/lease-keys.ts';
import { renewalValue } from '../../../src/domain/lease/renewal-record.ts';
import { FakeClock } from '../watch/fake-clock.ts';
import { settled } from '../watch/settled.ts';
import { FakeProber, FakeRegistry } from './fake-registry.ts';

const LEASE_ID = 7n;
const NAME = { service: 'orders', instanceId: 'a' };
const PROBE: Probe = {
  check: { kind: 'http', path: '/health' },
  port: 0,
  intervalMs: 1_000,
  timeoutMs: 400,
  failureThreshold: 3,
  giveUpAfterMs: 10_000,
};

describe('Probing', () => {
  let clock: FakeClock;
  let store: FakeRegistry;
  let prober: FakeProber;
  let probing: Probing;

  beforeEach(() => {
    clock = new FakeClock();
    store = new FakeRegistry();
    prober = new FakeProber();
    const { keys } = store;
    const deps = { store: store as never, leases: {} as never, clock, keys, prober };
    probing = new Probing({ ...deps, random: () => 0.5 });
    write('UP');
    store.put(renewedKey(LEASE_ID), 'record', LEASE_ID);
  });

  function write(status: string, leaseId = LEASE_ID, host = 'h'): void {
    const value = JSON.stringify({ host, port: 80, status, liveness: 'MANAGED' });
    store.put(store.keys.ofInstance(NAME.service, NAME.instanceId), value, leaseId);
  }

  function assign(probe: Partial<Probe> = {}): void {
    probing.assigned(LEASE_ID, renewalValue(30n, { ...NAME, probe: { ...PROBE, ...probe } }));
  }

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await settled();
      clock.advance(100);
    }
    await settled();
  }

  const status = () => store.statusOf(NAME.service, NAME.instanceId);
  const isRenewed = () => store.has(renewedKey(LEASE_ID));

  it('asks at each interval, the first time after a part of it', async () => {
    assign();
    await pass(400);
    expect(prober.asked).toEqual([]);
    await pass(100);
    expect(prober.asked).toEqual([{ check: PROBE.check, host: 'h', port: 80 }]);
    await pass(5_000);
    expect(prober.asked.length).toBe(6);
    expect(status()).toBe('UP');
  });

  it('asks at the port of the probe, and at the host where the instance is now', async () => {
    assign({ port: 8080 });
    await pass(500);
    write('UP', LEASE_ID, 'elsewhere');
    await pass(1_000);
    expect(prober.asked.map(({ host, port }) => `${host}:${port}`)).toEqual(['h:8080', 'elsewhere:8080']);
  });

  it('turns an instance down after so many failures in a row, and up with the first good answer', async () => {
    assign();
    prober.answer = 'bad';
    await pass(500 + 1_900);
    expect(status()).toBe('UP');
    await pass(200);
    expect(status()).toBe('DOWN');
    prober.answer = 'good';
    await pass(1_000);
    expect(status()).toBe('UP');
    expect(isRenewed()).toBe(true);
  });

  it('begins to count anew with each good answer', async () => {
    assign();
    for (let i = 0; i < 5; i++) {
      prober.answer = 'bad';
      await pass(2_000);
      prober.answer = 'good';
      await pass(1_000);
      expect(status()).toBe('UP');
    }
  });

  it('takes an answer that does not come in time for a failure', async () => {
    assign({ failureThreshold: 1 });
    prober.answer = 'none';
    await pass(800);
    expect(status()).toBe('UP');
    await pass(200);
    expect(status()).toBe('DOWN');
  });

  it('gives up what has failed for so long, and not before', async () => {
    assign();
    prober.answer = 'bad';
    await pass(500 + 9_900);
    expect([status(), isRenewed()]).toEqual(['DOWN', true]);
    await pass(1_100);
    expect(isRenewed()).toBe(false);
    // Its lease is alive yet: that ends by itself.
    expect(status()).toBe('DOWN');
  });

  it.each(['DRAINING', 'STARTING'])('leaves a status that somebody set: %s', async (set) => {
    write(set);
    assign();
    await pass(2_000);
    expect(status()).toBe(set);
    prober.answer = 'bad';
    await pass(9_000);
    expect([status(), isRenewed()]).toEqual([set, true]);
    await pass(3_000);
    expect([status(), isRenewed()]).toEqual([set, false]);
  });

  it('does not put down what was set to drain while it was asked', async () => {
    assign({ failureThreshold: 1 });
    prober.answer = 'bad';
    let isSet = false;
    store.beforeWrite = () => {
      if (!isSet) write('DRAINING');
      isSet = true;
    };
    await pass(3_000);
    expect([isSet, status()]).toEqual([true, 'DRAINING']);
  });

  it('asks nothing of one that has another lease, or is gone, and changes neither', async () => {
    assign({ failureThreshold: 1 });
    prober.answer = 'bad';
    write('UP', 8n);
    await pass(5_000);
    expect([prober.asked.length, status()]).toEqual([0, 'UP']);
    store.delete(store.keys.ofInstance(NAME.service, NAME.instanceId));
    await pass(5_000);
    expect([prober.asked.length, status()]).toEqual([0, undefined]);
  });

  it('goes on when the store answers again', async () => {
    assign({ failureThreshold: 1 });
    store.isFailing = true;
    await pass(5_000);
    store.isFailing = false;
    prober.answer = 'bad';
    await pass(1_000);
    expect(status()).toBe('DOWN');
  });

  it('ends when the lease is renewed elsewhere, in the middle of a question too', async () => {
    assign();
    assign();
    expect(probing.size).toBe(1);
    prober.answer = 'none';
    await pass(500);
    probing.released(LEASE_ID);
    const { reads } = store;
    await pass(20_000);
    expect([prober.asked.length, store.reads, status(), probing.size]).toEqual([1, reads, 'UP', 0]);
    expect(clock.pendingTimers).toBe(0);
    // And begins again where it comes back.
    prober.answer = 'good';
    assign();
    await pass(500);
    expect(prober.asked.length).toBe(2);
    probing[Symbol.dispose]();
    await pass(5_000);
    expect([prober.asked.length, probing.size, clock.pendingTimers]).toEqual([2, 0, 0]);
  });

  it.each([
    '',
    'no JSON',
    '{}',
    'null',
    '[]',
    '{"service":"s","instanceId":"a","probe":{}}',
    '{"service":"s","instanceId":"a","probe":null}',
    '{"service":"s","instanceId":"a","probe":{"check":{"kind":"tcp"},"port":0,"intervalMs":0,"timeoutMs":1,"failureThreshold":1,"giveUpAfterMs":1}}',
    '{"service":"s","instanceId":"a","probe":{"check":{"kind":"what"},"port":0,"intervalMs":9,"timeoutMs":1,"failureThreshold":1,"giveUpAfterMs":1}}',
    '{"probe":{"check":{"kind":"tcp"},"port":0,"intervalMs":9,"timeoutMs":1,"failureThreshold":1,"giveUpAfterMs":1}}',
  ])('asks nobody where the record does not say whom, and how: %s', async (record) => {
    probing.assigned(LEASE_ID, new TextEncoder().encode(record));
    await pass(3_000);
    expect([probing.size, prober.asked.length]).toEqual([0, 0]);
  });
});
