import {
  type ConfigChange,
  ConfigChange_TypeSchema,
  type ConfigItem,
} from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  WatchResponse_Kind as Kind,
  type WatchRequest,
  type WatchResponse,
  WatchResponse_KindSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import type { Clients } from '../../support/open-clients.ts';

/** A client of the service alone. */
export type ConfigClient = Clients['config'];

/** What is watched. */
export interface ConfigWatchRequest
  extends Partial<
    Pick<WatchRequest, 'profiles' | 'effective' | 'resumeToken' | 'subscriber' | 'revealSecrets'>
  > {
  readonly application: string;
  /** Of checkpoints. @default 1 */
  readonly everySeconds?: number;
}

/** A watch that is read. */
export interface ConfigWatch extends Collected<WatchResponse> {
  /** Resolves when the first whole set, or where it resumed, was told. */
  readonly opened: Promise<WatchResponse>;
  /** The items of all snapshots so far. */
  items(): readonly string[];
  /** What was told of changes so far, each as {@link describeChange} has it. */
  changes(): readonly string[];
  /** The last token. */
  token(): string;
  /** Names the stream. */
  subscriberId(): string;
}

/** Opens a watch; disposing ends it. */
export function openConfigWatch(
  config: ConfigClient,
  request: ConfigWatchRequest,
  headers: Readonly<Record<string, string>> = {},
): ConfigWatch {
  const { everySeconds = 1, ...rest } = request;
  const controller = new AbortController();
  const stream = config.watch(
    { ...rest, checkpointInterval: { seconds: BigInt(everySeconds) } },
    { signal: controller.signal, headers },
  );
  const watch = collect(stream, controller);
  const opened = watch.find(({ kind }) => kind === Kind.CHECKPOINT);
  opened.catch(() => {});
  return Object.assign(Object.create(watch) as typeof watch, {
    opened,
    items: () => watch.messages.flatMap(({ items }) => items.map(describeItem)),
    changes: () => watch.messages.flatMap(({ changes }) => changes.map(describeChange)),
    token: () => watch.messages.at(-1)?.resumeToken ?? '',
    subscriberId: () => watch.messages[0]?.subscriberId ?? '',
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  });
}

/** Names a kind, such as `SNAPSHOT`. */
export function kindName({ kind }: WatchResponse): string {
  return WatchResponse_KindSchema.value[kind]?.localName ?? '';
}

/** Says what an item is in one line, such as `prod/port@2=80`: its profile, key, version and value. */
export function describeItem({ profile, key, version, value }: ConfigItem): string {
  return `${profile}/${key}@${version}=${value}`;
}

/** Says what changed in one line: `UPDATED default/port@2=80 < default/port@1=81`, the former state behind `<`. */
export function describeChange({ type, item, previous }: ConfigChange): string {
  const line = `${ConfigChange_TypeSchema.value[type]?.localName} ${item && describeItem(item)}`;
  return previous === undefined ? line : `${line} < ${describeItem(previous)}`;
}
