import { randomUUID } from 'node:crypto';
import type { Instance } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { prefixRange } from '../../../src/domain/key-range.ts';
import type { KeyValueStore, Operation } from '../../../src/domain/store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const CALL_TIMEOUT_MS = 30_000;

/** Returns the name of a service that no other test has. */
export function serviceName(): string {
  return `s-${randomUUID()}`;
}

/** Returns the keys of a service as etcd has them, `<instance_id>@<revision>`, in order: no gateway is asked. */
export async function storedInstances(store: KeyValueStore, service: string): Promise<readonly string[]> {
  const start = `/services/${service}/`;
  const range = prefixRange(encoder.encode(start));
  const { kvs } = await store.read({ kind: 'read', range, view: 'keys' }, options());
  return kvs.map(({ key, modRevision }) => `${decoder.decode(key).slice(start.length)}@${modRevision}`);
}

/** Describes instances of an answer in the words of {@link storedInstances}. */
export function namesAndRevisions(instances: readonly Instance[]): readonly string[] {
  return instances.map(({ instanceId, revision }) => `${instanceId}@${revision}`);
}

/** Writes keys as another etcd client would, all at one revision; a value of undefined deletes. Returns the revision. */
export async function writeKeys(
  store: KeyValueStore,
  values: Readonly<Record<string, string | undefined>>,
): Promise<bigint> {
  const success = Object.entries(values).map(([name, value]): Operation => {
    const key = encoder.encode(`/services/${name}`);
    return value === undefined
      ? { kind: 'delete', range: { kind: 'key', key } }
      : { kind: 'put', key, value: encoder.encode(value) };
  });
  const { revision } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options());
  return revision;
}

function options(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
}
