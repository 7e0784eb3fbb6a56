import { describe, expect, it } from 'vitest';
import { AutoRenewal, type RenewalCompanion } from '../../../src/domain/lease/auto-renewal.ts';
import { LeaseEngine } from '../../../src/domain/lease/lease-engine.ts';
import { renewalValue } from '../../../src/domain/lease/renewal-record.ts';
import type { KeyValue } from '../../../src/domain/store.ts';
import type { MirrorChange } from '../../../src/domain/watch/mirror.ts';
import { FakeClock } from '../watch/fake-clock.ts';
import { settled } from '../watch/settled.ts';

const LEASES = Array.from({ length: 300 }, (_, index) => BigInt(index * 7_919 + 1));
const IDS = ['a', 'b', 'c'];

/** One of three replicas, all of which are alive, and which renew leases that live so long. */
function startReplica(replicaId: string, clock: FakeClock, ttlSeconds: bigint) {
  const renewed = new Map<bigint, number>();
  const probed = new Set<bigint>();
  const leases = {
    async keepAlive(leaseId: bigint) {
      renewed.set(leaseId, (renewed.get(leaseId) ?? 0) + 1);
      return { leaseId, ttlSeconds, revision: 1n };
    },
  };
  const engine = new LeaseEngine({ leases, clock, random: () => 0.5 });
  const companion: RenewalCompanion = {
    assigned: (leaseId) => void probed.add(leaseId),
    released: (leaseId) => void probed.delete(leaseId),
  };
  const unused = {} as never;
  const deps = { store: unused, leases: unused, engine, clock, random: () => 0.5, replicaId, companion };
  const renewal = new AutoRenewal(deps);
  for (const id of IDS) renewal.replica.changed({ kind: 'replica', replicaId: id }, change(true));
  for (const leaseId of LEASES)
    renewal.renewed.changed({ kind: 'renewed', leaseId }, change(true, ttlSeconds));
  renewal.replica.synced?.(1n);
  return { replicaId, renewal, engine, renewed, probed };
}

function change(isThere: boolean, ttlSeconds = 10n): MirrorChange {
  const kv = isThere ? ({ modRevision: 1n, value: renewalValue(ttlSeconds) } as KeyValue) : undefined;
  return { key: new Uint8Array(), revision: 1n, kv, previous: undefined };
}

async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.advance(50);
    await settled();
  }
}

describe('the deputy of a renewer', () => {
  it('renews a short lease all along, and so in time when the renewer is gone; it probes only then', async () => {
    const clock = new FakeClock();
    const [a, b, c] = IDS.map((id) => startReplica(id, clock, 2n));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three were started');
    await pass(clock, 4_000);
    for (const { renewed } of [a, b, c]) renewed.clear();
    await pass(clock, 1_000);
    for (const leaseId of LEASES)
      expect([a, b, c].filter(({ renewed }) => renewed.has(leaseId)).length).toBe(2);
    expect([a, b, c].reduce((sum, { renewal }) => sum + renewal.size, 0)).toBe(LEASES.length);
    for (const { renewal, probed } of [a, b, c]) expect(probed.size).toBe(renewal.size);
    // The third dies: what it renewed is renewed by its deputies long before anybody sees that.
    c.engine[Symbol.dispose]();
    for (const { renewed } of [a, b]) renewed.clear();
    await pass(clock, 1_000);
    expect(new Set([...a.renewed.keys(), ...b.renewed.keys()]).size).toBe(LEASES.length);
    for (const { renewal } of [a, b])
      renewal.replica.changed({ kind: 'replica', replicaId: 'c' }, change(false));
    expect(a.renewal.size + b.renewal.size).toBe(LEASES.length);
    expect(a.probed.size + b.probed.size).toBe(LEASES.length);
  });

  it('leaves a lease to its renewer that outlasts the death of it', async () => {
    const clock = new FakeClock();
    const replicas = IDS.map((id) => startReplica(id, clock, 10n));
    await pass(clock, 4_000);
    for (const { engine, renewal } of replicas) expect(engine.stats().kept).toBe(renewal.size);
    for (const { renewed } of replicas) renewed.clear();
    await pass(clock, 4_000);
    for (const leaseId of LEASES)
      expect(replicas.filter(({ renewed }) => renewed.has(leaseId)).length).toBe(1);
  });

  it('lets go of a short lease that is renewed no longer', async () => {
    const clock = new FakeClock();
    const replicas = IDS.map((id) => startReplica(id, clock, 2n));
    await pass(clock, 4_000);
    for (const { renewal } of replicas)
      for (const leaseId of LEASES) renewal.renewed.changed({ kind: 'renewed', leaseId }, change(false));
    for (const { renewed } of replicas) renewed.clear();
    await pass(clock, 4_000);
    for (const { renewed, engine, probed } of replicas)
      expect([renewed.size, engine.stats().kept, probed.size]).toEqual([0, 0, 0]);
  });
});
