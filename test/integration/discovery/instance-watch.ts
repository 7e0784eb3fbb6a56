import {
  type Change,
  Change_TypeSchema,
  WatchResponse_Kind as Kind,
  type WatchRequest,
  type WatchResponse,
  WatchResponse_KindSchema,
} from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { StatusSchema } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import type { Clients } from '../../support/open-clients.ts';

/** A client of the service alone. */
export type DiscoveryClient = Clients['discovery'];

/** A watch that is read. */
export interface InstanceWatch extends Collected<WatchResponse> {
  /** Resolves when the first whole set, or where it resumed, was told. */
  readonly opened: Promise<WatchResponse>;
  /** What was told of changes so far, each as `TYPE service/id` with what is said of `describeChange`. */
  changes(): readonly string[];
  /** The last token. */
  token(): string;
}

/** A thousand of them are opened at once. */
const OPEN_TIMEOUT_MS = 90_000;

/** Opens a watch; disposing ends it. */
export function openInstanceWatch(
  discovery: DiscoveryClient,
  request: Partial<Pick<WatchRequest, 'service' | 'resumeToken'>> & { readonly everySeconds?: number } = {},
): InstanceWatch {
  const { everySeconds = 1, ...rest } = request;
  const controller = new AbortController();
  const stream = discovery.watch(
    { ...rest, checkpointInterval: { seconds: BigInt(everySeconds) } },
    { signal: controller.signal },
  );
  const watch = collect(stream, controller);
  const opened = watch.find(({ kind }) => kind === Kind.CHECKPOINT, { timeoutMs: OPEN_TIMEOUT_MS });
  opened.catch(() => {});
  return Object.assign(Object.create(watch) as typeof watch, {
    opened,
    changes: () => watch.messages.flatMap(({ changes }) => changes.map(describeChange)),
    token: () => watch.messages.at(-1)?.resumeToken ?? '',
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  });
}

/** Names a kind, such as `SNAPSHOT`. */
export function kindName({ kind }: WatchResponse): string {
  return WatchResponse_KindSchema.value[kind]?.localName ?? '';
}

/** Says what changed in one line: `STATUS orders/a 10.0.0.1:80 DOWN < 10.0.0.1:80 UP`, the former state behind `<`. */
export function describeChange({ type, instance, previous }: Change): string {
  const states = [instance, previous].map(
    (each) =>
      each && `${each.host}:${each.port} ${StatusSchema.value[each.status]?.localName ?? each.status}`,
  );
  const name = `${instance?.service}/${instance?.instanceId}`;
  const line = `${Change_TypeSchema.value[type]?.localName} ${name} ${states[0]}`;
  return states[1] === undefined ? line : `${line} < ${states[1]}`;
}
