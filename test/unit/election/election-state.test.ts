import { describe, expect, it } from 'vitest';
import { candidateKey, transferKey } from '../../../src/domain/election/election-keys.ts';
import { ElectionView, electionState, standValue } from '../../../src/domain/election/election-state.ts';
import { leaderKey } from '../../../src/domain/fence.ts';
import type { KeyValue } from '../../../src/domain/store.ts';

const NAME = 'a/b%';

function kvOf(key: Uint8Array, leaseId: bigint, revision: bigint, value = standValue('', 0)): KeyValue {
  return { key, value, leaseId, createRevision: revision, modRevision: revision, version: 1n };
}

const candidate = (leaseId: bigint, revision: bigint) => kvOf(candidateKey(NAME, leaseId), leaseId, revision);

describe('the state of an election', () => {
  it('has candidates in the order in which they came, whatever their leases', () => {
    const kvs = [candidate(1n, 30n), candidate(2n, 10n), candidate(3n, 20n)];
    expect(electionState(NAME, kvs).candidates.map(({ leaseId }) => leaseId)).toEqual([2n, 3n, 1n]);
  });

  it('takes what others wrote in place of a value for an empty one', () => {
    for (const text of ['', 'text', 'null', '[]', '{"value":1,"time":"never"}', '{"value":']) {
      const { leader } = electionState(NAME, [kvOf(leaderKey(NAME), 1n, 5n, Buffer.from(text))]);
      expect(leader, text).toEqual({ value: '', token: 5n, leaseId: 1n, leadWallMs: 0 });
    }
  });

  it('takes of what others wrote only what a message can hold', () => {
    const text = '{"value":"a\\ud800","time":"+020000-01-01T00:00:00Z"}';
    const { leader } = electionState(NAME, [kvOf(leaderKey(NAME), 1n, 5n, Buffer.from(text))]);
    expect(leader).toMatchObject({ value: 'a\ufffd', leadWallMs: 0 });
  });

  it('has nothing of keys that are none of its own', () => {
    const keys = ['candidate/', 'candidate/x', 'candidate/1', 'leader/1', 'other'];
    const kvs = keys.map((key) => kvOf(Buffer.from(`/concord/election/a%2Fb%25/${key}`), 1n, 5n));
    expect(electionState(NAME, kvs)).toEqual({ leader: undefined, candidates: [], transfer: undefined });
  });
});

describe('the view of an election', () => {
  function viewOf(kvs: readonly KeyValue[]): ElectionView {
    const view = new ElectionView(NAME);
    view.take({ kind: 'snapshot', revision: 50n, kvs });
    expect(view.standingOf(2n)).toBeUndefined();
    view.take({ kind: 'synced', revision: 50n });
    return view;
  }
  const waiting = [candidate(1n, 30n), candidate(2n, 10n), candidate(3n, 20n)];

  it('gives the turn to the first where nobody leads', () => {
    const view = viewOf(waiting);
    expect(view.standingOf(2n)).toMatchObject({ kind: 'candidate', position: 0, turn: 0n });
    expect(view.standingOf(3n)).toMatchObject({ kind: 'candidate', position: 1, turn: undefined });
    expect(view.standingOf(1n)).toMatchObject({ kind: 'candidate', position: 2, turn: undefined });
    expect(view.standingOf(9n)).toEqual({ kind: 'none' });
  });

  it('gives it to the one that a transfer names', () => {
    const view = viewOf([...waiting, kvOf(transferKey(NAME), 1n, 40n)]);
    expect(view.standingOf(1n)).toMatchObject({ position: 2, turn: 40n });
    expect(view.standingOf(2n)).toMatchObject({ position: 0, turn: undefined });
  });

  it('gives it to nobody while one leads', () => {
    const view = viewOf([...waiting, kvOf(leaderKey(NAME), 4n, 45n)]);
    expect(view.standingOf(4n)).toEqual({ kind: 'leader', token: 45n });
    expect(view.standingOf(2n)).toMatchObject({ position: 0, turn: undefined });
    view.take({
      kind: 'events',
      revision: 51n,
      changes: [{ type: 'deleted', kv: kvOf(leaderKey(NAME), 4n, 51n), previous: undefined }],
    });
    expect(view.standingOf(4n)).toEqual({ kind: 'none' });
    expect(view.standingOf(2n)).toMatchObject({ turn: 0n });
  });

  it('knows nothing after a compaction until all is told anew', () => {
    const view = viewOf(waiting);
    view.take({ kind: 'resync', revision: 60n, changes: undefined });
    expect(view.standingOf(2n)).toBeUndefined();
    view.take({ kind: 'snapshot', revision: 60n, kvs: [candidate(3n, 20n)] });
    view.take({ kind: 'synced', revision: 60n });
    expect(view.standingOf(2n)).toEqual({ kind: 'none' });
    expect(view.standingOf(3n)).toMatchObject({ position: 0, turn: 0n });
  });
});
