import { singleKey } from '../../../src/domain/key-range.ts';
import type { Etcd } from '../../../src/etcd/open-etcd.ts';

const encoder = new TextEncoder();
const TIMEOUT_MS = 10_000;

/** Writes values as any etcd client would, all at one revision, which is returned. Undefined: the key is deleted. */
export async function writeOutside(
  { store }: Etcd,
  application: string,
  values: Readonly<Record<string, string | undefined>>,
): Promise<bigint> {
  const success = Object.entries(values).map(([name, value]) => {
    const key = encoder.encode(`/config/${application}/${name}`);
    return value === undefined
      ? ({ kind: 'delete', range: singleKey(key) } as const)
      : ({ kind: 'put', key, value: encoder.encode(value) } as const);
  });
  const operation = { kind: 'txn', compares: [], success, failure: [] } as const;
  return (await store.txn(operation, { signal: AbortSignal.timeout(TIMEOUT_MS) })).revision;
}
