import { ConnectError } from '@connectrpc/connect';
import type { KeyValue } from '../../../gen/concord/kv/v1/key_value_pb.ts';
import { type Failure, failureOf } from '../../support/failure-of.ts';
import type { KvClient } from '../../support/kv-client.ts';
import type { Call, Seen } from '../../support/linearizability/history.ts';

/** What is asked of a gateway. */
export type RegisterCalls = Pick<KvClient, 'get' | 'batchGet' | 'put' | 'delete'>;

/** A request to read or write keys as registers. */
export type RegisterRequest =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'batchGet'; readonly keys: readonly string[] }
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string;
      readonly expectedRevision: bigint | undefined;
    }
  | { readonly kind: 'delete'; readonly key: string };

/** A call on one key, for a history. */
export type KeyCall = Call & { readonly key: string };

const CALL_TIMEOUT_MS = 3_000;

/** With these, nothing was written. */
const NOT_DONE: ReadonlySet<string> = new Set(['STORE_UNAVAILABLE', 'STORE_OVERLOADED', 'SHUTTING_DOWN']);
/** With these, it may have been, as with an error that does not come from the gateway. */
const MAYBE_DONE: ReadonlySet<string> = new Set(['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED', 'CALL_CANCELED']);

/** Makes a request, and returns what is known of its keys then; nothing, where it surely had no effect. Rejects with any other error. */
export async function askRegister(kv: RegisterCalls, request: RegisterRequest): Promise<readonly KeyCall[]> {
  try {
    return await ask(kv, request);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const failure = await failureOf(Promise.reject(error)).catch(() => undefined);
    const calls = callsOfFailure(request, failure);
    if (calls === undefined) throw error;
    return calls;
  }
}

async function ask(kv: RegisterCalls, request: RegisterRequest): Promise<readonly KeyCall[]> {
  const options = { timeoutMs: CALL_TIMEOUT_MS };
  switch (request.kind) {
    case 'get': {
      const { key } = request;
      const { kv: found, revision } = await kv.get({ key }, options);
      if (found === undefined) throw new Error(`a key without anything in it: ${key}`);
      return [{ kind: 'get', key, outcome: seen(found, revision) }];
    }
    case 'batchGet': {
      const { kvs, missingKeys, revision } = await kv.batchGet({ keys: [...request.keys] }, options);
      return [
        ...kvs.map((found) => ({ kind: 'get', key: found.key, outcome: seen(found, revision) }) as const),
        ...missingKeys.map((key) => ({ kind: 'get', key, outcome: { kind: 'missing', revision } }) as const),
      ];
    }
    case 'put': {
      const { key, value, expectedRevision } = request;
      const condition = expectedRevision === undefined ? {} : { expectedRevision };
      const { revision, version } = await kv.put({ key, value, ...condition }, options);
      return [{ ...request, outcome: { kind: 'written', revision, version } }];
    }
    case 'delete': {
      const { deleted: didExist, revision } = await kv.delete({ key: request.key }, options);
      return [{ ...request, outcome: { kind: 'deleted', didExist, revision } }];
    }
  }
}

function seen({ value, modRevision, version }: KeyValue, revision: bigint): Seen {
  return { kind: 'found', value, modRevision, version, revision };
}

/** What is known after an error; undefined where it should not have come. */
function callsOfFailure(
  request: RegisterRequest,
  failure: Failure | undefined,
): readonly KeyCall[] | undefined {
  const reason = failure?.reason ?? 'OUTCOME_UNKNOWN';
  const metadata = failure?.metadata ?? {};
  if (NOT_DONE.has(reason)) return [];
  if (reason === 'KEY_NOT_FOUND' && request.kind === 'get') {
    return [{ ...request, outcome: { kind: 'missing', revision: BigInt(metadata['revision'] ?? 0) } }];
  }
  if (reason === 'REVISION_MISMATCH' && request.kind === 'put') {
    const actualRevision = BigInt(metadata['actual_revision'] ?? -1);
    return [{ ...request, outcome: { kind: 'mismatch', actualRevision } }];
  }
  if (!MAYBE_DONE.has(reason)) return undefined;
  if (request.kind === 'get' || request.kind === 'batchGet') return [];
  return [{ ...request, outcome: { kind: 'unknown' } }];
}
