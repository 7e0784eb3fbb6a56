import { describe, expect, it } from 'vitest';
import { LeaseEngine } from '../../../src/domain/lease/lease-engine.ts';
import { startReplica } from '../../../src/domain/lease/replica.ts';
import type { KeyValueStore, LeaseStore } from '../../../src/domain/store.ts';
import { ScriptedStore } from '../session/scripted-store.ts';
import { settled } from '../watch/settled.ts';
import { FreezingClock } from './freezing-clock.ts';
import { storeAway } from './scripted-renewals.ts';

async function start() {
  const clock = new FreezingClock();
  const scripted = new ScriptedStore();
  scripted.ttlSeconds = 3n;
  const leases = scripted.leases as LeaseStore;
  const engine = new LeaseEngine({ leases, clock, random: Math.random });
  const store = scripted as Partial<KeyValueStore> as KeyValueStore;
  const replica = startReplica({ store, leases, engine, clock }, 'a');
  await settled();
  return { clock, scripted, replica };
}

describe('a replica', () => {
  it('says that it is alive, and again when its key is gone', async () => {
    const { scripted, replica } = await start();
    scripted.last.succeed(10n);
    await settled();
    replica.forgotten();
    await settled();
    expect(scripted.txns).toHaveLength(2);
    scripted.last.succeed(11n);
    await settled();
    expect(scripted.txns).toHaveLength(2);
  });

  it('says so again where its key is gone before it knows that it was written', async () => {
    const { scripted, replica } = await start();
    replica.forgotten();
    scripted.last.succeed(10n);
    await settled();
    expect(scripted.txns).toHaveLength(2);
  });

  it('tries again while the store does not answer', async () => {
    const { clock, scripted } = await start();
    for (let tries = 1; tries <= 3; tries++) {
      expect(scripted.txns).toHaveLength(tries);
      scripted.last.fail(storeAway());
      await settled();
      clock.advance(1_000);
      await settled();
    }
  });

  it('ends its lease when it leaves, and says nothing more', async () => {
    const { clock, scripted, replica } = await start();
    scripted.last.succeed(10n);
    await settled();
    await replica[Symbol.asyncDispose]();
    replica.forgotten();
    clock.advance(60_000);
    await settled();
    expect(scripted.revoked).toEqual([1n]);
    expect(scripted.txns).toHaveLength(1);
  });
});
