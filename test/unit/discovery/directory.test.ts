import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Directory } from '../../../src/domain/discovery/directory.ts';
import { createDiscoveryKeys } from '../../../src/domain/discovery/discovery-keys.ts';
import type { KeyValue } from '../../../src/domain/store.ts';
import type { Change } from '../../../src/domain/watch/change.ts';
import type { WatchMessage } from '../../../src/domain/watch/watch.ts';
import { bytes } from '../watch/bytes.ts';
import { FakeClock } from '../watch/fake-clock.ts';
import { settled } from '../watch/settled.ts';

const LINEARIZABLE = { serializable: false, minRevision: 0n };

/** What the store would say to a read of the newest key. */
interface Head {
  readonly revision: bigint;
  readonly count: bigint;
  readonly lastChange: bigint;
}

function keyValue(name: string, modRevision: bigint): KeyValue {
  const numbers = { createRevision: 1n, modRevision, version: 1n, leaseId: 0n };
  return { key: bytes(`/services/${name}`), value: bytes('{"host":"h","port":1}'), ...numbers };
}

const put = (name: string, revision: bigint): Change => ({
  type: 'updated',
  kv: keyValue(name, revision),
  previous: undefined,
});
const gone = (name: string, revision: bigint): Change => ({ ...put(name, revision), type: 'deleted' });

/** A directory whose watch and store say what a test has them say. */
function scripted() {
  const messages: WatchMessage[] = [];
  let wake = Promise.withResolvers<void>();
  let head: Head = { revision: 0n, count: 0n, lastChange: 0n };
  let reads = 0;
  const end = new AbortController();
  const directory = new Directory({
    clock: new FakeClock(),
    keys: createDiscoveryKeys('/services'),
    store: {
      async read() {
        reads++;
        const kvs = head.count === 0n ? [] : [keyValue('any', head.lastChange)];
        return { kind: 'read', kvs, count: head.count, more: head.count > 1n, revision: head.revision };
      },
      txn: () => Promise.reject(new Error('it only reads')),
    },
    async *watch() {
      for (;;) {
        await wake.promise;
        wake = Promise.withResolvers();
        yield* messages.splice(0);
      }
    },
  });
  return {
    directory,
    end,
    reads: () => reads,
    says(next: Head) {
      head = next;
    },
    async tell(...told: readonly WatchMessage[]) {
      messages.push(...told);
      wake.resolve();
      await settled();
    },
    /** Asks for the ids of a service; `answer` is undefined for as long as there is none. */
    async ask(service: string, freshness = LINEARIZABLE) {
      const asked: { answer?: { readonly ids: string; readonly revision: bigint } } = {};
      const idsOf = () => directory.peek(service).instances.map(({ instanceId }) => instanceId);
      void directory
        .fresh(service, () => idsOf().join(), freshness, end)
        .then(
          ({ value: ids, revision }) => {
            asked.answer = { ids, revision };
          },
          () => {},
        );
      await settled();
      return asked;
    },
  };
}

describe('a directory', () => {
  let script: ReturnType<typeof scripted>;

  beforeEach(async () => {
    script = scripted();
    script.directory.follow();
    const kvs = [keyValue('s/a', 3n), keyValue('s/b', 5n), keyValue('t/c', 8n)];
    await script.tell({ kind: 'snapshot', revision: 10n, kvs }, { kind: 'synced', revision: 10n });
  });

  afterEach(() => {
    script.end.abort(new Error('the test is over'));
    script.directory[Symbol.dispose]();
  });

  it('answers a read that need not be the newest without asking', async () => {
    const asked = await script.ask('s', { serializable: true, minRevision: 10n });
    expect(asked.answer).toEqual({ ids: 'a,b', revision: 10n });
    expect(script.reads()).toBe(0);
  });

  it('answers at the revision of the store where nothing of the service has changed', async () => {
    script.says({ revision: 99n, count: 2n, lastChange: 5n });
    expect((await script.ask('s')).answer).toEqual({ ids: 'a,b', revision: 99n });
  });

  it.each([
    ['came', { count: 3n, lastChange: 11n }, put('s/x', 11n), 'a,b,x'],
    ['changed', { count: 2n, lastChange: 11n }, put('s/a', 11n), 'a,b'],
    ['went', { count: 1n, lastChange: 5n }, gone('s/a', 11n), 'b'],
    ['was the last to change and went', { count: 1n, lastChange: 3n }, gone('s/b', 11n), 'a'],
  ] as const)('waits for what it was not told yet: an instance %s', async (_, head, change, ids) => {
    script.says({ revision: 11n, ...head });
    const asked = await script.ask('s');
    expect(asked.answer).toBeUndefined();
    await script.tell({ kind: 'events', revision: 11n, changes: [change] });
    expect(asked.answer).toEqual({ ids, revision: 11n });
  });

  it('waits until one came and another went', async () => {
    script.says({ revision: 12n, count: 2n, lastChange: 12n });
    const asked = await script.ask('s');
    await script.tell({ kind: 'events', revision: 11n, changes: [gone('s/a', 11n)] });
    expect(asked.answer).toBeUndefined();
    await script.tell({ kind: 'events', revision: 12n, changes: [put('s/d', 12n)] });
    expect(asked.answer).toEqual({ ids: 'b,d', revision: 12n });
  });

  it('does not wait for what happens after it was asked', async () => {
    script.says({ revision: 11n, count: 3n, lastChange: 11n });
    const asked = await script.ask('s');
    script.says({ revision: 12n, count: 4n, lastChange: 12n });
    await script.tell({ kind: 'events', revision: 11n, changes: [put('s/x', 11n)] });
    expect(asked.answer).toEqual({ ids: 'a,b,x', revision: 11n });
  });

  it('waits for the minimal revision of a read from memory', async () => {
    script.says({ revision: 11n, count: 3n, lastChange: 11n });
    const asked = await script.ask('s', { serializable: true, minRevision: 11n });
    expect(asked.answer).toBeUndefined();
    await script.tell({ kind: 'events', revision: 11n, changes: [put('s/x', 11n)] });
    expect(asked.answer).toEqual({ ids: 'a,b,x', revision: 11n });
  });

  it('tells apart the services of keys that stand beside those of instances', async () => {
    const changes = [put('s', 11n), put('s/a/deeper', 11n), put('s/', 11n)];
    await script.tell({ kind: 'events', revision: 11n, changes });
    script.says({ revision: 20n, count: 4n, lastChange: 11n });
    expect((await script.ask('s')).answer).toEqual({ ids: 'a,b', revision: 20n });
    expect(script.directory.peek('s').invalid).toHaveLength(2);
  });

  it('goes by a new set as a whole where changes were lost', async () => {
    const told: [string, boolean][] = [];
    script.directory.listen({
      changed: (_, before, after, isExpired) => told.push([(after ?? before)?.instanceId ?? '', isExpired]),
      settled() {},
    });
    const kvs = [keyValue('s/b', 5n), keyValue('s/d', 12n)];
    await script.tell(
      { kind: 'resync', revision: 10n, changes: undefined },
      { kind: 'snapshot', revision: 20n, kvs },
    );
    expect((await script.ask('s', { serializable: true, minRevision: 0n })).answer?.ids).toBe('a,b');
    await script.tell({ kind: 'synced', revision: 20n });
    expect((await script.ask('s', { serializable: true, minRevision: 20n })).answer?.ids).toBe('b,d');
    expect(told.map(([id]) => id).toSorted()).toEqual(['a', 'c', 'd']);
    expect(script.directory.services().map(({ name }) => name)).toEqual(['s']);
  });
});
