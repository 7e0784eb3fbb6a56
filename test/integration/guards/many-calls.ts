import { create, toBinary } from '@bufbuild/protobuf';
import { GetRequestSchema, PutRequestSchema } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { openCaller } from '../../bench/load/caller.ts';

/** Some calls of one rpc. */
export interface ManyCalls {
  readonly path: string;
  readonly messages: readonly Uint8Array[];
}

/** For etcd: a member that gets no time for a moment, as beside so many calls it may, stays leader. */
export const PATIENT_ELECTION = ['--heartbeat-interval=100', '--election-timeout=5000'];

const CONNECTIONS = 4;
const TIMEOUT_MS = 120_000;

/** Puts of so many keys, each with 256 bytes. */
export function putsOf(prefix: string, count: number): ManyCalls {
  const value = 'v'.repeat(256);
  return {
    path: '/concord.kv.v1.KvService/Put',
    messages: keysOf(prefix, count).map((key) =>
      toBinary(PutRequestSchema, create(PutRequestSchema, { key, value })),
    ),
  };
}

/** Linearizable Gets of the same keys. */
export function getsOf(prefix: string, count: number): ManyCalls {
  return {
    path: '/concord.kv.v1.KvService/Get',
    messages: keysOf(prefix, count).map((key) =>
      toBinary(GetRequestSchema, create(GetRequestSchema, { key })),
    ),
  };
}

/** Sends all of them over gRPC on 4 connections, `inFlight` at once; rejects where one fails. */
export async function callAll(port: number, { path, messages }: ManyCalls, inFlight: number): Promise<void> {
  const options = { signal: AbortSignal.timeout(TIMEOUT_MS) };
  using connections = new DisposableStack();
  const callers = await Promise.all(Array.from({ length: CONNECTIONS }, () => openCaller(port, options)));
  for (const caller of callers) connections.use(caller);
  const left = messages[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: inFlight }, async (_, i) => {
      for (const message of left) await callers[i % CONNECTIONS]?.call(path, message);
    }),
  );
}

function keysOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}
