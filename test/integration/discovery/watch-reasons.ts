import type { DescEnum, MessageInitShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import {
  Change_TypeSchema,
  type WatchResponse,
  WatchResponse_Kind,
} from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { type InstanceSchema, StatusSchema } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { collect } from '../../support/collect.ts';
import type { Clients } from '../../support/open-clients.ts';

/** What a watcher is told of a service, in short. */
export interface WatchedReasons extends AsyncDisposable {
  /** Such as `REGISTERED a`, `STATUS a DOWN`, `UNREGISTERED a`. */
  readonly told: readonly string[];
  /** What was told of one instance, without its name. */
  of(instanceId: string): readonly string[];
  /** When each was told, by `performance.now()`; the same indexes as `told`. */
  readonly toldMs: readonly number[];
  /** Resolves with when it was told. */
  heard(reason: string): Promise<number>;
}

/** How long a test waits for what it is sure of. */
const PATIENCE_MS = 30_000;

/** Watches a service; resolves when its set is known. */
export async function watchReasons(
  discovery: Clients['discovery'],
  service: string,
): Promise<WatchedReasons> {
  const controller = new AbortController();
  const toldMs: number[] = [];
  const told: string[] = [];
  async function* listen(): AsyncGenerator<WatchResponse> {
    for await (const message of discovery.watch({ service }, { signal: controller.signal })) {
      for (const { type, instance } of message.changes) {
        const reason = nameIn(Change_TypeSchema, type);
        const status = reason === 'STATUS' ? ` ${nameIn(StatusSchema, instance?.status ?? 0)}` : '';
        told.push(`${reason} ${instance?.instanceId}${status}`);
        toldMs.push(performance.now());
      }
      yield message;
    }
  }
  const collected = collect(listen(), controller);
  await collected.find(({ kind }) => kind === WatchResponse_Kind.SYNCED, { timeoutMs: PATIENCE_MS });
  return {
    told,
    toldMs,
    of: (instanceId) =>
      told.flatMap((line) => {
        const [reason, id, ...rest] = line.split(' ');
        return id === instanceId ? [[reason, ...rest].join(' ')] : [];
      }),
    async heard(reason) {
      await collected
        .find(() => told.includes(reason), { timeoutMs: PATIENCE_MS })
        .catch((cause: unknown) => {
          throw new Error(`"${reason}" was not told; this was: ${told.join(', ')}`, { cause });
        });
      return toldMs[told.indexOf(reason)] ?? Number.NaN;
    },
    [Symbol.asyncDispose]: () => collected[Symbol.asyncDispose](),
  };
}

/** An instance on loopback, where nobody listens unless a test says so. */
export function instanceOf(
  service: string,
  instanceId: string,
  more: MessageInitShape<typeof InstanceSchema> = {},
): MessageInitShape<typeof InstanceSchema> {
  return { service, instanceId, host: '127.0.0.1', port: 9, ...more };
}

/** A duration as a request has it. */
export function duration(ms: number): Pick<Duration, 'seconds' | 'nanos'> {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 };
}

function nameIn(schema: DescEnum, number: number): string {
  return schema.value[number]?.localName ?? String(number);
}
