// One gRPC stream of etcd with the watches on it: who is created, whose message it is, where each goes on.
//
// What etcd does and this file relies on (server/etcdserver/api/v3rpc/watch.go): watches are created in the order asked for, and a
// rejected one answers created and canceled at once; all events of a revision come together, in several messages where
// `fragment` says so; a requested progress notice counts for the whole stream, but creations are answered beside the queue that
// notices and events go through, so that a notice may come behind a creation that it knows nothing of.

import type { IWatchResponse } from 'etcd3';
import type { StoreEvent, WatchSink } from '../../domain/store.ts';
import type { WatchCall } from '../member.ts';
import type { LogicalWatch } from './logical-watch.ts';
import { keysOf, storeEvent } from './watch-messages.ts';

/** Why a stream cannot go on; its watches go on elsewhere, from where they are. */
export interface StreamEnd {
  readonly kind: 'broken' | 'tokenRejected';
  readonly message: string;
}

/** What a stream tells its owner. */
export interface StreamOwner {
  /** A message came: the stream lives. `isNews`: it told of changes or progress, and not only answered a request of ours. */
  heard(isNews: boolean): void;
  /** A watch was refused, for good. */
  rejected(watch: LogicalWatch, reason: string): void;
  /** The changes that a watch should get next are gone. */
  compacted(watch: LogicalWatch): void;
  ended(end: StreamEnd): void;
  clusterId(id: bigint): void;
}

const STREAM_WATCH_ID = '-1';
const TOKEN_REJECTED = /invalid auth token|revision of auth store is old|user name is empty/;

/** The watches of one stream. */
export class WatchStream {
  readonly #call: WatchCall;
  readonly #owner: StreamOwner;
  #trustsNotices = false;
  /** Asked for and not answered yet, in order; undefined stands for one that was closed meanwhile. */
  readonly #creating: (LogicalWatch | undefined)[] = [];
  readonly #created = new Map<string, OpenWatch>();
  /** Progress notices that were requested and did not come yet; etcd leaves out those that it cannot give. */
  #dueNotices = 0;
  #isOver = false;

  constructor(call: WatchCall, owner: StreamOwner) {
    this.#call = call;
    this.#owner = owner;
    call.on('data', (response: IWatchResponse) => this.#take(response));
    call.on('error', (error) => this.#end({ kind: 'broken', message: error.message }));
    call.on('end', () => this.#end({ kind: 'broken', message: 'etcd ended the stream' }));
  }

  get isCreating(): boolean {
    return this.#creating.length > 0;
  }

  /**
   * Has watches move on by the progress notices that are requested, too: before 3.4.25 and 3.5.8 these can overtake events
   * (etcd-io/etcd#15695).
   */
  trustNotices(): void {
    this.#trustsNotices = true;
  }

  /** Asks for a watch from where it is. */
  create(watch: LogicalWatch): void {
    this.#creating.push(watch);
    this.#call.write({
      create_request: {
        ...keysOf(watch.range),
        start_revision: String(watch.nextRevision),
        progress_notify: true,
        prev_kv: true,
        fragment: true,
      },
    });
  }

  /** Ends a watch of this stream; events that are under way are dropped. */
  cancel(watch: LogicalWatch): void {
    const position = this.#creating.indexOf(watch);
    if (position !== -1) this.#creating[position] = undefined;
    for (const [id, open] of this.#created) {
      if (open.watch === watch) this.#cancelById(id);
    }
  }

  /** Asks for a sign of life. */
  requestProgress(): void {
    this.#dueNotices += 1;
    this.#call.write({ progress_request: {} });
  }

  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** Ends the stream; its owner is told nothing more. */
  close(): void {
    this.#isOver = true;
    this.#call.cancel();
  }

  #end(end: StreamEnd): void {
    if (this.#isOver) return;
    this.close();
    this.#owner.ended(end);
  }

  #take(response: IWatchResponse): void {
    if (this.#isOver) return;
    this.#owner.heard(!response.created);
    if (response.created) {
      this.#takeCreated(response);
      return;
    }
    if (response.watch_id === STREAM_WATCH_ID) {
      if (this.#dueNotices > 0) this.#dueNotices -= 1;
      if (!this.#trustsNotices) return;
      for (const open of this.#created.values()) open.streamProgress(BigInt(response.header.revision));
      return;
    }
    const open = this.#created.get(response.watch_id);
    // A message that was under way when its watch was canceled.
    if (open === undefined) return;
    if (response.canceled) {
      // Etcd goes on counting a watch that was compacted away as open, until it is canceled or its stream ends.
      this.#cancelById(response.watch_id);
      this.#takeCanceled(open.watch, response);
    } else if (response.events.length > 0) open.events(response.events.map(storeEvent), response.fragment);
    else open.progress(BigInt(response.header.revision));
  }

  #takeCreated(response: IWatchResponse): void {
    const watch = this.#creating.shift();
    if (BigInt(response.header.cluster_id) !== 0n) this.#owner.clusterId(BigInt(response.header.cluster_id));
    if (this.#isOver) return;
    if (response.canceled) {
      if (watch !== undefined) this.#takeCanceled(watch, response);
      return;
    }
    if (watch === undefined) this.#cancelById(response.watch_id);
    else {
      const createdAt = BigInt(response.header.revision);
      this.#created.set(response.watch_id, new OpenWatch(watch, createdAt, this.#dueNotices));
    }
  }

  #takeCanceled(watch: LogicalWatch, { compact_revision, cancel_reason }: IWatchResponse): void {
    // The token belongs to the stream, not to the watch: with a new one the whole stream is made anew.
    if (TOKEN_REJECTED.test(cancel_reason)) this.#end({ kind: 'tokenRejected', message: cancel_reason });
    else if (BigInt(compact_revision) > 0n) this.#owner.compacted(watch);
    else this.#owner.rejected(watch, cancel_reason);
  }

  #cancelById(id: string): void {
    this.#created.delete(id);
    this.#call.write({ cancel_request: { watch_id: id } });
  }
}

/** A watch that etcd has created on this stream: puts fragments together, and passes on whole revisions only. */
class OpenWatch {
  readonly watch: LogicalWatch;
  /** The last revision of a fragment, which may go on in the next: revisions come in order. */
  #rest: readonly StoreEvent[] = [];
  readonly #createdAt: bigint;
  /** How many notices for the stream may still come that were made before the watch. */
  #staleNotices: number;

  /** @param createdAt the store's revision when it was created, which no notice made before exceeds. */
  constructor(watch: LogicalWatch, createdAt: bigint, staleNotices: number) {
    this.watch = watch;
    this.#createdAt = createdAt;
    this.#staleNotices = staleNotices;
  }

  events(events: readonly StoreEvent[], isFragment: boolean): void {
    const revisions = [...byRevision([...this.#rest, ...events])];
    this.#rest = (isFragment ? revisions.pop()?.[1] : undefined) ?? [];
    for (const [revision, changes] of revisions) this.watch.deliver(revision, changes);
  }

  progress(revision: bigint): void {
    if (this.#rest.length === 0) this.watch.progress(revision);
  }

  /** Takes a notice for the whole stream; one that was made before the watch says nothing of it. */
  streamProgress(revision: bigint): void {
    if (this.#staleNotices > 0 && revision <= this.#createdAt) this.#staleNotices -= 1;
    else this.progress(revision);
  }
}

function* byRevision(events: readonly StoreEvent[]): Generator<Parameters<WatchSink['events']>> {
  let from = 0;
  for (let i = 1; i <= events.length; i++) {
    const [first, next] = [events[from], events[i]];
    if (first === undefined || (next !== undefined && revisionOf(next) === revisionOf(first))) continue;
    yield [revisionOf(first), events.slice(from, i)];
    from = i;
  }
}

function revisionOf(event: StoreEvent): bigint {
  return event.kind === 'put' ? event.kv.modRevision : event.revision;
}
