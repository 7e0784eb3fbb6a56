import { describe, expect, it } from 'vitest';
import { AutoRenewal } from '../../../src/domain/lease/auto-renewal.ts';
import { LeaseEngine } from '../../../src/domain/lease/lease-engine.ts';
import { renewalValue } from '../../../src/domain/lease/renewal-record.ts';
import type { KeyValue } from '../../../src/domain/store.ts';
import type { MirrorChange } from '../../../src/domain/watch/mirror.ts';
import { settled } from '../watch/settled.ts';
import { FreezingClock } from './freezing-clock.ts';
import { leaseGone, ScriptedRenewals } from './scripted-renewals.ts';

const TTL_SECONDS = 10;
/** A sixth of the time to live: in it a replica renews what it takes over. */
const SPREAD_MS = (TTL_SECONDS * 1_000) / 6;

const THIRD_MS = (TTL_SECONDS * 1_000) / 3;

/** One replica, which sees the records that the test shows it. */
function startReplica(replicaId: string, clock = new FreezingClock()) {
  const renewals = new ScriptedRenewals();
  const engine = new LeaseEngine({ leases: renewals, clock, random: Math.random });
  const unused = {} as never;
  const renewal = new AutoRenewal({
    store: unused,
    leases: unused,
    engine,
    clock,
    random: Math.random,
    replicaId,
  });
  return {
    clock,
    renewals,
    renewal,
    seeLease: (leaseId: bigint, isThere = true) =>
      renewal.renewed.changed({ kind: 'renewed', leaseId }, change(isThere)),
    seeReplica: (id: string, isThere = true) =>
      renewal.replica.changed({ kind: 'replica', replicaId: id }, change(isThere)),
    sync: () => renewal.replica.synced?.(1n),
    /** Which leases it asked to renew since the last time. */
    takeAsked: () => new Set(renewals.asked.splice(0).map(({ leaseId }) => leaseId)),
  };
}

function change(isThere: boolean): MirrorChange {
  const kv = isThere
    ? ({ modRevision: 1n, value: renewalValue(BigInt(TTL_SECONDS)) } as KeyValue)
    : undefined;
  return { key: new Uint8Array(), revision: 1n, kv, previous: undefined };
}

/** Few enough that none waits for another renewal to be answered. */
const LEASES = Array.from({ length: 120 }, (_, index) => BigInt(index * 7_919 + 1));

describe('AutoRenewal', () => {
  it('has each lease renewed by exactly one of the replicas that are alive, in fair parts', () => {
    const ids = ['a', 'b', 'c'];
    const replicas = ids.map((id) => startReplica(id));
    for (const replica of replicas) {
      for (const id of ids) replica.seeReplica(id);
      for (const leaseId of LEASES) replica.seeLease(leaseId);
      replica.sync();
      replica.clock.advance(SPREAD_MS + 10);
    }
    const parts = replicas.map(({ takeAsked }) => takeAsked());
    expect(new Set(parts.flatMap((part) => [...part])).size).toBe(LEASES.length);
    expect(parts.reduce((sum, part) => sum + part.size, 0)).toBe(LEASES.length);
    for (const part of parts) expect(part.size).toBeGreaterThan(LEASES.length / 5);
    expect(replicas.map(({ renewal }) => renewal.size)).toEqual(parts.map(({ size }) => size));
  });

  it('takes over within a sixth of the time to live what a replica renewed that is gone, and moves nothing else', () => {
    const [a, b] = [startReplica('a'), startReplica('b')];
    for (const replica of [a, b]) {
      for (const id of ['a', 'b', 'c']) replica.seeReplica(id);
      for (const leaseId of LEASES) replica.seeLease(leaseId);
      replica.sync();
    }
    const before = [a.renewal.size, b.renewal.size];
    for (const replica of [a, b]) {
      replica.clock.advance(SPREAD_MS + 10);
      replica.takeAsked();
      replica.seeReplica('c', false);
      replica.clock.advance(SPREAD_MS + 10);
    }
    const [taken, others] = [a.takeAsked(), b.takeAsked()];
    expect(a.renewal.size + b.renewal.size).toBe(LEASES.length);
    expect([taken.size, others.size]).toEqual([
      a.renewal.size - (before[0] ?? 0),
      b.renewal.size - (before[1] ?? 0),
    ]);
  });

  it('gives up its part for a replica that came', () => {
    const a = startReplica('a');
    for (const leaseId of LEASES) a.seeLease(leaseId);
    a.sync();
    expect(a.renewal.size).toBe(LEASES.length);
    a.seeReplica('b');
    expect(a.renewal.size).toBeLessThan(0.7 * LEASES.length);
    a.seeReplica('b', false);
    expect(a.renewal.size).toBe(LEASES.length);
  });

  it('renews nothing before it knows who else is alive', () => {
    const a = startReplica('a');
    for (const leaseId of LEASES) a.seeLease(leaseId);
    a.clock.advance(5_000);
    expect(a.takeAsked().size).toBe(0);
  });

  it('renews what is added at a third of its time to live, and no longer what is taken away', async () => {
    const a = startReplica('a');
    a.sync();
    a.seeLease(5n);
    a.clock.advance(THIRD_MS / 2);
    expect(a.takeAsked().size).toBe(0);
    a.clock.advance(THIRD_MS / 2 + 10);
    a.renewals.last.succeed(TTL_SECONDS);
    await settled();
    a.seeLease(5n, false);
    a.takeAsked();
    a.clock.advance(100_000);
    expect([a.takeAsked().size, a.renewal.size]).toEqual([0, 0]);
  });

  it('goes on with a lease that was late: nobody relies on its deadline', async () => {
    const a = startReplica('a');
    a.sync();
    a.seeLease(5n);
    a.clock.advance(20_000);
    expect(a.renewals.asked.length).toBeGreaterThan(1);
    a.renewals.last.succeed(TTL_SECONDS);
    await settled();
    a.takeAsked();
    a.clock.advance(TTL_SECONDS * 1_000);
    expect(a.takeAsked()).toEqual(new Set([5n]));
  });

  it('renews a lease of the same id again, where its end was heard of and the gap in the records was not', async () => {
    const a = startReplica('a');
    a.sync();
    a.seeLease(5n);
    a.clock.advance(THIRD_MS + 10);
    a.renewals.last.fail(leaseGone(5n));
    await settled();
    expect(a.renewal.size).toBe(0);
    a.takeAsked();
    a.seeLease(5n);
    a.clock.advance(THIRD_MS + 10);
    expect(a.takeAsked()).toEqual(new Set([5n]));
  });

  it('counts itself alive, whatever the records say', () => {
    const a = startReplica('a');
    a.seeReplica('a');
    a.sync();
    for (const leaseId of LEASES) a.seeLease(leaseId);
    a.seeReplica('a', false);
    expect(a.renewal.size).toBe(LEASES.length);
  });
});
