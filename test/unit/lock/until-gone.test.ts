import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { prefixRange } from '../../../src/domain/key-range.ts';
import { type Departure, untilGone } from '../../../src/domain/lock/until-gone.ts';
import type { StoreEvent, WatchRequest, WatchSink, WatchSource } from '../../../src/domain/store.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const range = prefixRange(bytes('queue/'));
const [A, B, C] = ['queue/a', 'queue/b', 'queue/c'].map(bytes) as [Uint8Array, Uint8Array, Uint8Array];

const gone = (key: Uint8Array, revision: bigint): StoreEvent => ({
  kind: 'delete',
  key,
  revision,
  previous: undefined,
});

function came(key: Uint8Array, revision: bigint): StoreEvent {
  const kv = { key, value: new Uint8Array(), createRevision: revision, modRevision: revision };
  return { kind: 'put', kv: { ...kv, version: 1n, leaseId: 1n }, previous: undefined };
}

/** A source with one watch, told what a test says. `atOnce` runs while it is being opened. */
function openSource(atOnce: (sink: WatchSink) => void = () => {}) {
  const opened: { request: WatchRequest; sink: WatchSink }[] = [];
  let open = 0;
  const source: WatchSource = {
    open(request, sink) {
      opened.push({ request, sink });
      open += 1;
      atOnce(sink);
      let isOpen = true;
      return {
        pause() {},
        resume() {},
        close() {
          if (isOpen) open -= 1;
          isOpen = false;
        },
      };
    },
    clusterId: () => Promise.resolve(1n),
  };
  return {
    source,
    get open() {
      return open;
    },
    get sink() {
      const [first] = opened;
      if (first === undefined) throw new Error('no watch was opened');
      return first.sink;
    },
    opened,
  };
}

/** What became of a promise after all that is ready to run has run. */
async function settled(promise: Promise<bigint>): Promise<bigint | 'waits'> {
  await new Promise((resolve) => setImmediate(resolve));
  return Promise.race([promise, Promise.resolve('waits' as const)]);
}

const departure = (more: Partial<Departure> = {}): Departure => ({
  range,
  keys: [A, B],
  leave: 0,
  fromRevision: 5n,
  ...more,
});
const never = new AbortController().signal;

describe('one who waits until keys are gone', () => {
  it('goes on at the revision at which the last of them went, and watches no longer', async () => {
    const watch = openSource();
    const waiting = untilGone(watch.source, departure(), { signal: never });
    expect(watch.opened[0]?.request).toEqual({ range, fromRevision: 5n });
    watch.sink.events(6n, [gone(A, 6n), gone(C, 6n)]);
    watch.sink.progress(7n);
    watch.sink.events(8n, [came(C, 8n)]);
    expect(await settled(waiting)).toBe('waits');
    expect(watch.open).toBe(1);
    watch.sink.events(9n, [gone(B, 9n)]);
    expect(await settled(waiting)).toBe(9n);
    expect(watch.open).toBe(0);
  });

  it('waits for no more of them than it must, whichever they are', async () => {
    const watch = openSource();
    const waiting = untilGone(watch.source, departure({ keys: [A, B, C], leave: 1 }), { signal: never });
    watch.sink.events(6n, [gone(C, 6n)]);
    watch.sink.events(7n, [gone(C, 7n)]);
    expect(await settled(waiting)).toBe('waits');
    watch.sink.events(8n, [gone(A, 8n)]);
    expect(await settled(waiting)).toBe(8n);
  });

  it('looks again where the changes were compacted away', async () => {
    const watch = openSource();
    const waiting = untilGone(watch.source, departure(), { signal: never });
    watch.sink.compacted();
    expect(await settled(waiting)).toBe(5n);
    expect(watch.open).toBe(0);
  });

  it('fails as the watch does', async () => {
    const watch = openSource();
    const waiting = untilGone(watch.source, departure(), { signal: never });
    const error = new DomainError('STORE_PERMISSION_DENIED', 'no');
    watch.sink.failed(error);
    await expect(waiting).rejects.toBe(error);
    expect(watch.open).toBe(0);
  });

  it('watches no longer when it is aborted, and nothing where it was before', async () => {
    const watch = openSource();
    const controller = new AbortController();
    const waiting = untilGone(watch.source, departure(), controller);
    controller.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
    expect(watch.open).toBe(0);
    await expect(untilGone(watch.source, departure(), controller)).rejects.toThrow('left');
    expect(watch.opened).toHaveLength(1);
  });

  it('is told what has happened already while the watch is being opened', async () => {
    const watch = openSource((sink) => sink.events(6n, [gone(A, 6n), gone(B, 6n)]));
    expect(await untilGone(watch.source, departure(), { signal: never })).toBe(6n);
    expect(watch.open).toBe(0);
  });
});
