import { describe, expect, it } from 'vitest';
import { LeaseEngine } from '../../../src/domain/lease/lease-engine.ts';
import { Sessions } from '../../../src/domain/session/sessions.ts';
import type { KeyValue, KeyValueStore, LeaseStore } from '../../../src/domain/store.ts';
import { FreezingClock } from '../lease/freezing-clock.ts';
import { storeAway } from '../lease/scripted-renewals.ts';
import { settled } from '../watch/settled.ts';
import { ScriptedStore } from './scripted-store.ts';

const RETRY_MS = 500;
const never = new AbortController();

function startSessions() {
  const clock = new FreezingClock();
  const scripted = new ScriptedStore();
  const leases = scripted.leases as LeaseStore;
  const engine = new LeaseEngine({ leases, clock, random: Math.random });
  const sessions = new Sessions({
    store: scripted as Partial<KeyValueStore> as KeyValueStore,
    leases,
    engine,
    clock,
  });
  const openOn = (leaseId: bigint) =>
    sessions.open({ lease: { kind: 'existing', leaseId }, graceMs: 0 }, () => {}, never);
  /** Opens a session whose record is written at a revision. */
  const openAt = async (revision: bigint) => {
    const opening = openOn(7n);
    await settled();
    scripted.last.succeed(revision);
    return opening;
  };
  return { clock, scripted, sessions, openOn, openAt };
}

describe('Sessions', () => {
  it('leave a session to the stream that wrote its record last, in whatever order the answers come', async () => {
    const { scripted, sessions, openOn } = startSessions();
    const openings = [openOn(7n), openOn(7n)];
    await settled();
    const [first, second] = scripted.txns;
    second?.succeed(11n);
    await settled();
    first?.succeed(10n);
    const [former, later] = await Promise.all(openings);
    expect(former?.over?.reason).toBe('SESSION_TAKEN_OVER');
    expect(later?.over).toBeUndefined();
    expect(sessions.size).toBe(1);
  });

  it('end a session with its record, and then its lease', async () => {
    const { scripted, sessions, openAt } = startSessions();
    const leaving = sessions.leave(await openAt(10n));
    await settled();
    expect(scripted.revoked).toEqual([]);
    scripted.last.succeed(11n);
    await leaving;
    expect(scripted.revoked).toEqual([7n]);
    expect(sessions.size).toBe(0);
  });

  it('do not end the lease of a session that another stream has taken up', async () => {
    const { scripted, sessions, openAt } = startSessions();
    const leaving = sessions.leave(await openAt(10n));
    await settled();
    scripted.last.refuse(12n, { modRevision: 12n } as KeyValue);
    await leaving;
    expect(scripted.revoked).toEqual([]);
  });

  it('do not end a lease whose record is gone: it has ended itself, and may be another one of that id', async () => {
    const { scripted, sessions, openAt } = startSessions();
    const leaving = sessions.leave(await openAt(10n));
    await settled();
    scripted.last.refuse(12n, undefined);
    await leaving;
    expect(scripted.revoked).toEqual([]);
  });

  it('end a lease whose record an attempt before has deleted, the answer to which was lost', async () => {
    const { clock, scripted, sessions, openAt } = startSessions();
    const leaving = sessions.leave(await openAt(10n));
    await settled();
    scripted.last.fail(storeAway());
    await settled();
    clock.advance(RETRY_MS);
    await settled();
    scripted.last.refuse(12n, undefined);
    await leaving;
    expect(scripted.revoked).toEqual([7n]);
  });

  it('try to end a lease for as long as it may live, and no longer', async () => {
    const { clock, scripted, sessions, openAt } = startSessions();
    const session = await openAt(10n);
    let isOver = false;
    void sessions.leave(session).then(() => {
      isOver = true;
    });
    for (let seconds = 0; seconds < 61; seconds++) {
      expect(isOver).toBe(false);
      for (let tries = 0; tries < 2; tries++) {
        await settled();
        scripted.last.fail(storeAway());
        await settled();
        clock.advance(RETRY_MS);
      }
      await settled();
      if (isOver) break;
    }
    expect(isOver).toBe(true);
    expect(scripted.txns.length).toBeGreaterThan(100);
  });
});
