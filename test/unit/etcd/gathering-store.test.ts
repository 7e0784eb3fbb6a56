import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DomainError, type ErrorReason } from '../../../src/domain/errors.ts';
import { prefixRange, singleKey } from '../../../src/domain/key-range.ts';
import type { KeyValueStore, PutOperation, ReadOperation } from '../../../src/domain/store.ts';
import { createGatheringStore } from '../../../src/etcd/gathering/gathering-store.ts';
import { createScriptedStore, type SentRequest } from './scripted-store.ts';

const never = new AbortController().signal;

describe('a gathering store', () => {
  let store: KeyValueStore;
  let sent: readonly SentRequest[];

  beforeEach(() => {
    const scripted = createScriptedStore();
    store = createGatheringStore(scripted.store);
    sent = scripted.sent;
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('sends a lone read and a lone put in the same turn, before any timer, as they are', async () => {
    holdTimers();
    void read('a');
    void put('b');
    await turn();
    expect(sent.map(({ kind, steps }) => [kind, ...steps])).toEqual([
      ['read', 'r:a'],
      ['txn', 'w:b', 'r:b'],
    ]);
  });

  it('sends calls of one turn as one', async () => {
    void read('a');
    await Promise.resolve();
    void read('b');
    await new Promise<void>(process.nextTick);
    void read('c');
    expect(sent).toHaveLength(0);
    await turn();
    expect(steps()).toEqual([['r:a', 'r:b', 'r:c']]);
  });

  it('lets calls of later turns wait while two are in flight', async () => {
    holdTimers();
    await twoInFlight(read);
    for (const name of ['2', '3']) {
      void read(name);
      await turn();
    }
    expect(steps()).toEqual([['r:0'], ['r:1']]);
    await answer(0);
    expect(steps()[2]).toEqual(['r:2', 'r:3']);
  });

  it('sends what came while two were in flight as one when the first is answered', async () => {
    const calls = [...(await twoInFlight(read)), read('2'), read('3'), read('4')];
    expect(steps()).toEqual([['r:0'], ['r:1']]);
    await answer(1, 7n);
    expect(steps()).toEqual([['r:0'], ['r:1'], ['r:2', 'r:3', 'r:4']]);
    at(2).answer(9n);
    at(0).answer(8n);
    const answers = await Promise.all(calls);
    expect(answers.map(({ kvs }) => String(kvs[0]?.value))).toEqual(['=0', '=1', '=2', '=3', '=4']);
    expect(answers.map(({ revision }) => revision)).toEqual([8n, 7n, 9n, 9n, 9n]);
  });

  it('never adds a read to a batch that was sent', async () => {
    const calls = [...(await twoInFlight(read)), read('2'), read('3')];
    await answer(0);
    const late = read('late');
    expect(steps()[2]).toEqual(['r:2', 'r:3']);
    at(1).answer();
    at(2).answer();
    await Promise.all(calls);
    expect(steps()[3]).toEqual(['r:late']);
    at(3).answer();
    await late;
  });

  it('sends a lone call in its turn again when all others were answered', async () => {
    const calls = [...(await twoInFlight(read)), read('2'), read('3')];
    for (const i of [0, 1]) at(i).answer();
    await calls[1];
    at(2).answer();
    await Promise.all(calls);
    void read('z');
    await turn();
    expect(at(3)).toMatchObject({ kind: 'read', steps: ['r:z'] });
  });

  it('sends a full batch without waiting', async () => {
    await twoInFlight(read);
    for (const name of names(128 + 128 + 1)) void read(name);
    expect(sent.map((request) => request.steps.length)).toEqual([1, 1, 128, 128]);
  });

  it('counts what a put reads back', async () => {
    await twoInFlight(put);
    for (const name of names(64 + 1)) void put(name);
    expect(sent.map((request) => request.steps.length)).toEqual([2, 2, 128]);
  });

  it('bounds a batch by its bytes, and sends by itself what exceeds them', async () => {
    await twoInFlight(put);
    for (const name of ['2', '3', '4']) void put(name, { value: new Uint8Array(100_000) });
    void put('huge', { value: new Uint8Array(1_000_000) });
    void put('next');
    expect(steps().slice(2)).toEqual([
      ['w:2', 'r:2', 'w:3', 'r:3'],
      ['w:4', 'r:4'],
      ['w:huge', 'r:huge'],
    ]);
  });

  it('sends what has waited for 10 ms though none was answered', async () => {
    holdTimers();
    await twoInFlight(read);
    for (const name of ['2', '3']) void read(name);
    vi.advanceTimersByTime(9);
    expect(sent).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(steps()[2]).toEqual(['r:2', 'r:3']);
  });

  it('never puts a key twice in one transaction, and sends both in their order', async () => {
    await twoInFlight(put);
    for (const name of ['a', 'b', 'a', 'c', 'a']) void put(name);
    expect(writes()).toEqual([['w:0'], ['w:1'], ['w:a', 'w:b'], ['w:a', 'w:c']]);
  });

  it('gives each put the answers to its own operations, at their common revision', async () => {
    const busy = await twoInFlight(put);
    const calls = [...busy, put('c'), store.txn(txn([putOf('d')]), { signal: never }), put('e')];
    await answer(0, 5n);
    at(1).answer(6n);
    at(2).answer(7n);
    const answers = await Promise.all(calls);
    expect(answers.map(({ revision }) => revision)).toEqual([5n, 6n, 7n, 7n, 7n]);
    expect(answers.map(({ results }) => results.map(({ kind }) => kind))).toEqual([
      ['put', 'read'],
      ['put', 'read'],
      ['put', 'read'],
      ['put'],
      ['put', 'read'],
    ]);
    expect(answers.at(-1)?.results[1]).toMatchObject({ kvs: [{ key: Buffer.from('e') }] });
  });

  it('keeps reads and writes, and reads of different freshness, apart', async () => {
    for (const name of ['a', 'b', 'c']) {
      void read(name);
      void read(name, { serializable: true });
      void put(name);
    }
    await turn();
    expect(steps()).toEqual([
      ['r:a', 'r:b', 'r:c'],
      ['r:a', 'r:b', 'r:c'],
      ['w:a', 'r:a', 'w:b', 'r:b', 'w:c', 'r:c'],
    ]);
  });

  it('sends by itself what is neither a read of one key now nor a plain put', () => {
    for (const name of ['a', 'b', 'c']) {
      void read(name);
      void put(name);
    }
    const before = sent.length;
    void read('a', { revision: 3n });
    void read('a', { range: prefixRange(Buffer.from('a')) });
    void put('a', { returnPrevious: true });
    void store.txn(txn([putOf('a'), putOf('b')]), { signal: never });
    void store.txn(txn([putOf('a'), readOf('b')]), { signal: never });
    void store.txn({ ...txn([putOf('a')]), failure: [readOf('a')] }, { signal: never });
    const target = { kind: 'version', number: 1n } as const;
    const compare = { range: singleKey(Buffer.from('a')), comparison: 'equal', target } as const;
    void store.txn({ ...txn([putOf('a')]), compares: [compare] }, { signal: never });
    expect(sent.length - before).toBe(7);
  });

  describe('when callers leave', () => {
    it('tells them so at once, and goes on for the others', async () => {
      const leaver = new AbortController();
      await twoInFlight(read);
      const gone = read('2', {}, leaver.signal);
      const stays = read('3');
      await answer(0);
      leaver.abort(new Error('gone'));
      await expect(gone).rejects.toThrow('gone');
      expect(at(2).signal.aborted).toBe(false);
      at(2).answer(4n);
      expect((await stays).revision).toBe(4n);
      await answer(1);
    });

    it('does not send a call whose caller left before', async () => {
      const leaver = new AbortController();
      await twoInFlight(put);
      const gone = put('2', {}, leaver.signal);
      void put('3');
      leaver.abort(new Error('gone'));
      await expect(gone).rejects.toThrow('gone');
      await answer(0);
      expect(writes()[2]).toEqual(['w:3']);
    });

    it('sends nothing where all left before, and cancels a batch where all left after', async () => {
      const leaver = new AbortController();
      await twoInFlight(read);
      const waiting = read('2', {}, leaver.signal);
      leaver.abort(new Error('gone'));
      await expect(waiting).rejects.toThrow('gone');
      await answer(0);
      expect(sent).toHaveLength(2);

      const later = new AbortController();
      const busy = read('3');
      await turn();
      const both = [read('4', {}, later.signal), read('5', {}, later.signal)];
      await answer(1);
      expect(steps()[3]).toEqual(['r:4', 'r:5']);
      expect(at(3).signal.aborted).toBe(false);
      later.abort(new Error('gone'));
      await Promise.all(both.map((call) => expect(call).rejects.toThrow('gone')));
      expect(at(3).signal.aborted).toBe(true);
      at(2).answer();
      await busy;
    });

    it('cancels a lone call whose caller left', async () => {
      const leaver = new AbortController();
      const gone = read('a', {}, leaver.signal);
      await turn();
      expect(at(0).signal.aborted).toBe(false);
      leaver.abort(new Error('gone'));
      await expect(gone).rejects.toThrow('gone');
      expect(at(0)).toMatchObject({ kind: 'read', signal: { aborted: true } });
    });

    it('rejects a call that is aborted already, and sends nothing', async () => {
      const reason = new Error('too late');
      await expect(read('a', {}, AbortSignal.abort(reason))).rejects.toBe(reason);
      await turn();
      expect(sent).toHaveLength(0);
    });
  });

  describe('when a batch fails', () => {
    it.each<ErrorReason>([
      'LEASE_NOT_FOUND',
      'STORE_PERMISSION_DENIED',
      'TOO_MANY_OPERATIONS',
      'REQUEST_TOO_LARGE',
    ])('with %s, sends halves until only the guilty put fails', async (reason) => {
      const outcomes = await writeFive((request) => request.steps.includes('w:bad') && failure(reason));
      expect(outcomes).toEqual(['ok', reason, 'ok', 'ok', 'ok']);
      expect(
        writes()
          .slice(2)
          .map((batch) => batch.join()),
      ).toEqual(['w:a,w:bad,w:c,w:d,w:e', 'w:a,w:bad', 'w:c,w:d,w:e', 'w:a', 'w:bad']);
    });

    it.each<ErrorReason>([
      'OUTCOME_UNKNOWN',
      'STORE_UNAVAILABLE',
      'STORE_SPACE_EXCEEDED',
      'RESPONSE_TOO_LARGE',
    ])('with %s, fails every put of it, and sends none again', async (reason) => {
      const outcomes = await writeFive((request) => request.steps.length > 2 && failure(reason));
      expect(outcomes).toEqual(Array(5).fill(reason));
      expect(sent).toHaveLength(3);
    });

    it('does not send again for a caller that left', async () => {
      const leaver = new AbortController();
      await twoInFlight(put);
      const gone = put('a', {}, leaver.signal);
      const stays = put('b');
      await answer(0);
      leaver.abort(new Error('gone'));
      await expect(gone).rejects.toThrow('gone');
      at(2).fail(failure('LEASE_NOT_FOUND'));
      await vi.waitFor(() => expect(writes().slice(2)).toEqual([['w:a', 'w:b'], ['w:b']]));
      at(3).answer();
      await stays;
      await answer(1);
    });

    it('reads halves where the answer is too large', async () => {
      const calls = [...(await twoInFlight(read)), ...['2', '3', '4', '5'].map((name) => read(name))];
      await answer(0);
      at(2).fail(failure('RESPONSE_TOO_LARGE'));
      await vi.waitFor(() =>
        expect(steps().slice(3)).toEqual([
          ['r:2', 'r:3'],
          ['r:4', 'r:5'],
        ]),
      );
      for (const i of [1, 3, 4]) at(i).answer();
      expect(await Promise.all(calls)).toHaveLength(6);
    });
  });

  /** The outcomes of five puts that are one batch, where `fails` says what fails. */
  async function writeFive(fails: (request: SentRequest) => unknown): Promise<readonly string[]> {
    const busy = await twoInFlight(put);
    const calls = ['a', 'bad', 'c', 'd', 'e'].map((name) => put(name));
    const outcomes = Promise.all(
      calls.map((call) =>
        call.then(
          () => 'ok',
          ({ reason }) => String(reason),
        ),
      ),
    );
    let answered = 0;
    const settled = Promise.all([outcomes, ...busy]);
    void settled.then(() => {
      answered = Number.POSITIVE_INFINITY;
    });
    while (answered < Number.POSITIVE_INFINITY) {
      for (; answered < sent.length; answered++) {
        const error = fails(at(answered));
        if (error) at(answered).fail(error);
        else at(answered).answer();
      }
      await turn();
    }
    return outcomes;
  }

  /** Two calls that are sent each by itself: of `0` in one turn, of `1` in the next. */
  async function twoInFlight<A>(call: (name: string) => Promise<A>): Promise<readonly Promise<A>[]> {
    const calls: Promise<A>[] = [];
    for (const name of names(2)) {
      calls.push(call(name));
      await turn();
    }
    return calls;
  }

  function read(name: string, more: Partial<ReadOperation> = {}, signal: AbortSignal = never) {
    return store.read({ ...readOf(name), revision: 0n, ...more }, { signal });
  }

  function put(name: string, more: Partial<PutOperation> = {}, signal: AbortSignal = never) {
    const readBack: ReadOperation = { ...readOf(name), view: 'keys' };
    return store.txn(txn([{ ...putOf(name), leaseId: 0n, ...more }, readBack]), { signal });
  }

  function at(index: number): SentRequest {
    const request = sent[index];
    if (request === undefined) throw new Error(`only ${sent.length} requests were sent`);
    return request;
  }

  /** Answers a request, and lets be sent what waited for that. */
  async function answer(index: number, revision?: bigint): Promise<void> {
    at(index).answer(revision);
    await turn();
  }

  function steps(): readonly (readonly string[])[] {
    return sent.map((request) => request.steps);
  }

  function writes(): readonly (readonly string[])[] {
    return steps().map((batch) => batch.filter((step) => step.startsWith('w:')));
  }
});

/** Lets this turn of the event loop end, with what it sends. */
function turn(): Promise<void> {
  return new Promise(setImmediate);
}

/** Stops timers, but not turns. */
function holdTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

function readOf(name: string): ReadOperation {
  return { kind: 'read', range: singleKey(Buffer.from(name)) };
}

function putOf(name: string): PutOperation {
  return { kind: 'put', key: Buffer.from(name), value: Buffer.from('v') };
}

function txn(success: readonly (PutOperation | ReadOperation)[]) {
  return { kind: 'txn', compares: [], success, failure: [] } as const;
}

function failure(reason: ErrorReason): DomainError {
  return new DomainError(reason, 'said by the test');
}
