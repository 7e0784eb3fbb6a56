import { ConnectError } from '@connectrpc/connect';
import {
  type ConfigChange,
  ConfigChange_Type,
  type ConfigItem,
} from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  WatchResponse_Kind as Kind,
  type WatchResponse,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { describeChange, describeItem } from './config-watch.ts';

/**
 * Follows a plain watch over any number of streams, and says what is wrong with it: a change that is lost, that comes twice or
 * out of order, or that says another state before than was told.
 */
export class ConfigWatchRecorder {
  /** What is wrong, in words. */
  readonly faults: string[] = [];
  /** Each as {@link describeItem} has it, in the order in which it was told. */
  readonly told: string[] = [];
  resyncCount = 0;
  revision = 0n;
  resumeToken = '';
  readonly #items = new Map<string, ConfigItem>();
  readonly #versions = new Map<string, bigint>();
  #incoming: Map<string, ConfigItem> | undefined;

  /** What the subscriber holds, in order. */
  get state(): readonly string[] {
    return [...this.#items.values()].map(describeItem).sort();
  }

  /** Reads a stream until it ends, however it does. */
  async follow(stream: AsyncIterable<WatchResponse>): Promise<void> {
    try {
      await this.read(stream);
    } catch (error) {
      // It was cut off.
      if (!(error instanceof ConnectError)) throw error;
    }
  }

  /** Reads a stream, and rejects as that does. */
  async read(stream: AsyncIterable<WatchResponse>): Promise<void> {
    for await (const message of stream) this.#take(message);
  }

  #take(message: WatchResponse): void {
    const { kind, revision, resumeToken } = message;
    this.resumeToken = resumeToken;
    switch (kind) {
      case Kind.SNAPSHOT:
        this.#incoming ??= new Map();
        for (const item of message.items) this.#incoming.set(idOf(item), item);
        return;
      case Kind.SYNCED:
        this.#replace(this.#incoming ?? new Map());
        this.#incoming = undefined;
        break;
      case Kind.RESYNC:
        this.resyncCount++;
        this.#incoming = undefined;
        return;
      case Kind.EVENTS:
        if (revision <= this.revision) this.#fault(`revision ${revision} came after ${this.revision}`);
        for (const change of message.changes) this.#apply(change);
    }
    if (revision < this.revision) this.#fault(`revision ${revision} came after ${this.revision}`);
    this.revision = revision;
  }

  #replace(items: ReadonlyMap<string, ConfigItem>): void {
    this.#items.clear();
    this.#versions.clear();
    for (const [id, item] of items) {
      this.#items.set(id, item);
      this.#versions.set(id, item.version);
    }
  }

  #apply(change: ConfigChange): void {
    const { type, item, previous } = change;
    if (item === undefined) throw new Error('a change of nothing');
    const id = idOf(item);
    const held = this.#items.get(id);
    const version = this.#versions.get(id);
    const expected = held === undefined ? ConfigChange_Type.CREATED : ConfigChange_Type.UPDATED;
    const isRight = type === ConfigChange_Type.DELETED ? held !== undefined : type === expected;
    const isNext = version === undefined || item.version === version + 1n;
    const isSame = (held && describeItem(held)) === (previous && describeItem(previous));
    if (!isRight || !isNext || !isSame)
      this.#fault(
        `${describeChange(change)} came upon ${held === undefined ? 'nothing' : describeItem(held)}`,
      );
    this.told.push(describeItem(item));
    this.#versions.set(id, item.version);
    if (type === ConfigChange_Type.DELETED) this.#items.delete(id);
    else this.#items.set(id, item);
  }

  #fault(what: string): void {
    this.faults.push(what);
  }
}

function idOf({ profile, key }: ConfigItem): string {
  return `${profile}/${key}`;
}
